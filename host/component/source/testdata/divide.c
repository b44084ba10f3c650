// A division that traps, in a function that the compiler does not inline, and
// in one that it does.

__attribute__((noinline)) static int quotient(int a, int b) {
  int twice = a * 2;
  return twice / b;  // line 6
}

static inline int shifted(int a, int b) {
  return quotient(a + 1, b) - 1;
}

__attribute__((export_name("divide"))) int divide(int a, int b) {
  return shifted(a, b) + 1;
}

__attribute__((export_name("recurse"))) int recurse(int n) {
  volatile int kept = n;
  if (n == 0) __builtin_trap();  // line 19
  return recurse(n - 1) + kept;  // line 20
}
