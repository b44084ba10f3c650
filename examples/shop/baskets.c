// The shop's baskets: a resource that other components have handles of. It asks
// another component for the prices.
#include "guest.h"

#define PRICES "example:shop/prices"
#define INTERFACE "example:shop/baskets"

typedef uint32_t handle;

// A basket's representation is its place in the pool plus one.
enum { max_baskets = 100 };
static struct {
  bool used;
  uint64_t cents;
} pool[max_baskets];

typedef struct {
  uint8_t is_err;
  union {
    uint64_t cents;
    bytes error;
  };
} price;

typedef struct {
  uint8_t is_err;
  bytes error;
} outcome;

IMPORT(PRICES, "of") void price_of(const uint8_t *item, uint32_t len, price *result);
IMPORT("[export]" INTERFACE, "[resource-new]basket") handle basket_handle(uint32_t basket);

EXPORT(INTERFACE "#[constructor]basket")
handle basket_new(void) {
  for (uint32_t i = 0; i < max_baskets; i++) {
    if (pool[i].used) continue;
    pool[i].used = true;
    pool[i].cents = 0;
    return basket_handle(i + 1);
  }
  __builtin_trap(); // the shop is full
}

// Whoever defines a resource gets borrows of it as representations.

EXPORT(INTERFACE "#[method]basket.put")
const outcome *basket_put(uint32_t self, const uint8_t *item, uint32_t len, uint32_t count) {
  static outcome answer;
  price each;
  price_of(item, len, &each);
  answer = (outcome){.is_err = each.is_err};
  if (each.is_err)
    answer.error = each.error;
  else
    pool[self - 1].cents += each.cents * count;
  return &answer;
}

EXPORT("cabi_post_" INTERFACE "#[method]basket.put")
void basket_put_post(const outcome *answer) { arena_reset(); }

EXPORT(INTERFACE "#[method]basket.total")
uint64_t basket_total(uint32_t self) { return pool[self - 1].cents; }

EXPORT(INTERFACE "#[dtor]basket")
void basket_end(uint32_t self) { pool[self - 1].used = false; }
