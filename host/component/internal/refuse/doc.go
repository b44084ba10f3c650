// Package refuse has the kernel refuse system calls to this process, so that
// tests meet what old kernels and sandboxes answer, instead of something that
// imitates it. It knows nothing of what is tested.
//
// Sources: Linux, Documentation/userspace-api/seccomp_filter.rst and
// include/uapi/linux/filter.h.
package refuse
