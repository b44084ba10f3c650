//go:build cgo

#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasm.h>
#include <wasmtime.h>

struct peer {
  wasm_engine_t *engine;
  wasmtime_module_t *module;
  wasmtime_store_t *store; // of the instance that stays
  wasmtime_instance_t instance;
  char error[512];
  bool failed;
};

static const char *fail(peer *p, const char *what, wasmtime_error_t *error, wasm_trap_t *trap) {
  wasm_byte_vec_t message = {0, NULL};
  if (error != NULL) {
    wasmtime_error_message(error, &message);
    wasmtime_error_delete(error);
  } else if (trap != NULL) {
    wasm_trap_message(trap, &message);
    wasm_trap_delete(trap);
  }
  snprintf(p->error, sizeof p->error, "%s: %.*s", what, (int)message.size, message.data == NULL ? "" : message.data);
  if (message.data != NULL) {
    wasm_byte_vec_delete(&message);
  }
  p->failed = true;
  return p->error;
}

peer *peer_new(const uint8_t *wasm, size_t len, int allocator, size_t keep_resident) {
  peer *p = calloc(1, sizeof *p);
  wasm_config_t *config = wasm_config_new();
  if (allocator == pooling) {
    wasmtime_pooling_allocation_config_t *pool = wasmtime_pooling_allocation_config_new();
    if (keep_resident > 0) {
      wasmtime_pooling_allocation_config_linear_memory_keep_resident_set(pool, keep_resident);
    }
    wasmtime_pooling_allocation_strategy_set(config, pool);
    wasmtime_pooling_allocation_config_delete(pool);
  }
  p->engine = wasm_engine_new_with_config(config);
  if (p->engine == NULL) {
    fail(p, "engine", NULL, NULL);
    return p;
  }
  wasmtime_error_t *error = wasmtime_module_new(p->engine, wasm, len, &p->module);
  if (error != NULL) {
    fail(p, "compile", error, NULL);
  }
  return p;
}

const char *peer_error(const peer *p) { return p->failed ? p->error : NULL; }

static bool function(wasmtime_context_t *context, wasmtime_instance_t *instance, const char *name, wasmtime_func_t *func) {
  wasmtime_extern_t item;
  if (!wasmtime_instance_export_get(context, instance, name, strlen(name), &item) || item.kind != WASMTIME_EXTERN_FUNC) {
    return false;
  }
  *func = item.of.func;
  return true;
}

const char *peer_instances(peer *p, uint64_t n, uint32_t start, uint32_t pages) {
  for (uint64_t i = 0; i < n; i++) {
    wasmtime_store_t *store = wasmtime_store_new(p->engine, NULL, NULL);
    wasmtime_context_t *context = wasmtime_store_context(store);
    wasmtime_instance_t instance;
    wasm_trap_t *trap = NULL;
    wasmtime_error_t *error = wasmtime_instance_new(context, p->module, NULL, 0, &instance, &trap);
    if (error != NULL || trap != NULL) {
      return fail(p, "instantiate", error, trap);
    }
    if (pages > 0) {
      wasmtime_func_t touch;
      if (!function(context, &instance, "touch", &touch)) {
        return fail(p, "no function touch", NULL, NULL);
      }
      wasmtime_val_raw_t args[2] = {{.i32 = (int32_t)start}, {.i32 = (int32_t)pages}};
      error = wasmtime_func_call_unchecked(context, &touch, args, 2, &trap);
      if (error != NULL || trap != NULL) {
        return fail(p, "touch", error, trap);
      }
      if (args[0].i32 != (int32_t)pages) {
        return fail(p, "touch: wrong answer", NULL, NULL);
      }
    }
    wasmtime_store_delete(store);
  }
  return NULL;
}

// echo answers an imported function: a number is its own answer.
static wasm_trap_t *echo(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t len) {
  (void)env, (void)caller, (void)args, (void)len;
  return NULL;
}

const char *peer_keep(peer *p) {
  p->store = wasmtime_store_new(p->engine, NULL, NULL);
  wasmtime_context_t *context = wasmtime_store_context(p->store);
  wasm_importtype_vec_t types;
  wasmtime_module_imports(p->module, &types);
  wasmtime_extern_t *imports = calloc(types.size + 1, sizeof *imports);
  for (size_t i = 0; i < types.size; i++) {
    const wasm_functype_t *type = wasm_externtype_as_functype_const(wasm_importtype_type(types.data[i]));
    if (type == NULL) {
      return fail(p, "an import that is no function", NULL, NULL);
    }
    imports[i].kind = WASMTIME_EXTERN_FUNC;
    wasmtime_func_new_unchecked(context, type, echo, NULL, NULL, &imports[i].of.func);
  }
  wasm_trap_t *trap = NULL;
  wasmtime_error_t *error = wasmtime_instance_new(context, p->module, imports, types.size, &p->instance, &trap);
  wasm_importtype_vec_delete(&types);
  free(imports);
  return error == NULL && trap == NULL ? NULL : fail(p, "instantiate", error, trap);
}

const char *peer_calls(peer *p, uint64_t n) {
  wasmtime_context_t *context = wasmtime_store_context(p->store);
  wasmtime_func_t take;
  if (!function(context, &p->instance, "bench:guest/data#take-number", &take)) {
    return fail(p, "no function take-number", NULL, NULL);
  }
  for (uint64_t i = 0; i < n; i++) {
    wasm_trap_t *trap = NULL;
    wasmtime_val_raw_t arg = {.i32 = (int32_t)i};
    wasmtime_error_t *error = wasmtime_func_call_unchecked(context, &take, &arg, 1, &trap);
    if (error != NULL || trap != NULL || arg.i32 != (int32_t)i) {
      return fail(p, "take-number", error, trap);
    }
  }
  return NULL;
}

const char *peer_call(peer *p, const char *name, uint32_t arg, uint32_t *result) {
  wasmtime_context_t *context = wasmtime_store_context(p->store);
  wasmtime_func_t func;
  if (!function(context, &p->instance, name, &func)) {
    return fail(p, name, NULL, NULL);
  }
  wasm_trap_t *trap = NULL;
  wasmtime_val_raw_t value = {.i32 = (int32_t)arg};
  wasmtime_error_t *error = wasmtime_func_call_unchecked(context, &func, &value, 1, &trap);
  if (error != NULL || trap != NULL) {
    return fail(p, name, error, trap);
  }
  *result = (uint32_t)value.i32;
  return NULL;
}
