// wasmcloud:bus 1: a link that is not there fails the calls that follow it.
#include "choose.h"

#define BUS "wasmcloud:bus/lattice@1.0.0"

IMPORT(BUS, "[constructor]call-target-interface")
uint32_t new_target(const uint8_t *ns, uint32_t ns_len, const uint8_t *package, uint32_t package_len,
                    const uint8_t *interface, uint32_t interface_len);
IMPORT(BUS, "set-link-name")
void set(const uint8_t *name, uint32_t len, const uint32_t *interfaces, uint32_t n);

uint32_t call_target(bytes ns, bytes package, bytes interface) {
  return new_target(ns.ptr, ns.len, package.ptr, package.len, interface.ptr, interface.len);
}

bool set_link_name(bytes name, const uint32_t *interfaces, uint32_t n, bytes *err) {
  set(name.ptr, name.len, interfaces, n);
  return true;
}
