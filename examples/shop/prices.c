// The shop's price list.
#include "guest.h"

#define INTERFACE "example:shop/prices"

typedef struct {
  uint8_t is_err;
  union {
    uint64_t cents;
    bytes error;
  };
} price;

static const struct {
  bytes item;
  uint64_t cents;
} list[] = {{LITERAL("apple"), 40}, {LITERAL("bread"), 320}, {LITERAL("cheese"), 575}};

static bool same(bytes a, bytes b) {
  for (uint32_t i = 0; i < a.len && i < b.len; i++)
    if (a.ptr[i] != b.ptr[i]) return false;
  return a.len == b.len;
}

EXPORT(INTERFACE "#of")
const price *price_of(const uint8_t *item, uint32_t len) {
  static price answer;
  for (uint32_t i = 0; i < sizeof list / sizeof *list; i++) {
    if (!same(list[i].item, (bytes){item, len})) continue;
    answer = (price){.cents = list[i].cents};
    return &answer;
  }
  answer = (price){.is_err = 1, .error = concat((const bytes[]){LITERAL("there is no "), {item, len}}, 2)};
  return &answer;
}

EXPORT("cabi_post_" INTERFACE "#of")
void price_post(const price *answer) { arena_reset(); }
