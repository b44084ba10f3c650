// The shop's till: it fills a basket of another component for each customer.
#include "guest.h"

#define BASKETS "example:shop/baskets"
#define INTERFACE "example:shop/till"

typedef uint32_t handle;

typedef struct {
  uint8_t is_err;
  bytes error;
} outcome;

typedef struct {
  bytes item;
  uint32_t count;
} line;

typedef struct {
  uint8_t is_err;
  union {
    uint64_t cents;
    bytes error;
  };
} sum;

IMPORT(BASKETS, "[constructor]basket") handle basket_new(void);
IMPORT(BASKETS, "[method]basket.put")
void basket_put(handle self, const uint8_t *item, uint32_t len, uint32_t count, outcome *result);
IMPORT(BASKETS, "[method]basket.total") uint64_t basket_total(handle self);
IMPORT(BASKETS, "[resource-drop]basket") void basket_drop(handle self);

EXPORT(INTERFACE "#checkout")
const sum *checkout(const line *lines, uint32_t n) {
  static sum answer;
  handle basket = basket_new();
  outcome put = {0};
  for (uint32_t i = 0; i < n && !put.is_err; i++)
    basket_put(basket, lines[i].item.ptr, lines[i].item.len, lines[i].count, &put);
  answer = (sum){.is_err = put.is_err};
  if (put.is_err)
    answer.error = put.error;
  else
    answer.cents = basket_total(basket);
  basket_drop(basket);
  return &answer;
}

EXPORT("cabi_post_" INTERFACE "#checkout")
void checkout_post(const sum *answer) { arena_reset(); }
