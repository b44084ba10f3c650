// wasmcloud:bus 2: a link that is not there is an error.
#include "choose.h"

typedef struct {
  uint8_t is_err;
  bytes err;
} set_result;

#define BUS "wasmcloud:bus/lattice@2.0.0"

IMPORT(BUS, "[constructor]call-target-interface")
uint32_t new_target(const uint8_t *ns, uint32_t ns_len, const uint8_t *package, uint32_t package_len,
                    const uint8_t *interface, uint32_t interface_len);
IMPORT(BUS, "set-link-name")
void set(const uint8_t *name, uint32_t len, const uint32_t *interfaces, uint32_t n, set_result *out);

uint32_t call_target(bytes ns, bytes package, bytes interface) {
  return new_target(ns.ptr, ns.len, package.ptr, package.len, interface.ptr, interface.len);
}

bool set_link_name(bytes name, const uint32_t *interfaces, uint32_t n, bytes *err) {
  set_result out;
  set(name.ptr, name.len, interfaces, n, &out);
  if (out.is_err) *err = out.err;
  return !out.is_err;
}
