// How stores.c chooses a link, whichever version of wasmcloud:bus it is built for.
#pragma once
#include "guest.h"

// set_link_name gives the list of interfaces the link of that name, or returns
// false and why there is none.
bool set_link_name(bytes name, const uint32_t *interfaces, uint32_t n, bytes *err);

// call_target names an interface.
uint32_t call_target(bytes ns, bytes package, bytes interface);
