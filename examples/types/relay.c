// The guest that hands every call of example:types/values on to an imported one.
#include "values.h"

#define INTERFACE "example:types/values"

#define RELAY_DIRECT(id, name, T, params, args)             \
  IMPORT(INTERFACE, name) T imported_##id params;           \
  EXPORT(INTERFACE "#" name) T id params {                  \
    T answer = imported_##id args;                          \
    arena_reset();                                          \
    return answer;                                          \
  }

// An imported function takes the place for its result as one more parameter.
#define BARE(...) __VA_ARGS__
#define RELAY_MEMORY(id, name, T, ...) RELAY_MEMORY_(id, name, T, __VA_ARGS__)
#define RELAY_MEMORY_(id, name, T, params, args)                                          \
  IMPORT(INTERFACE, name) void imported_##id(BARE params, T *result);                   \
  EXPORT(INTERFACE "#" name) const T *id params {                                         \
    static T answer;                                                                      \
    imported_##id(BARE args, &answer);                                                  \
    return &answer;                                                                       \
  }                                                                                       \
  EXPORT("cabi_post_" INTERFACE "#" name) void id##_post(const T *result) { arena_reset(); }

VALUES(RELAY_DIRECT, RELAY_MEMORY)

IMPORT(INTERFACE, "nothing")
void imported_nothing(void);
EXPORT(INTERFACE "#nothing")
void nothing(void) { imported_nothing(); }
