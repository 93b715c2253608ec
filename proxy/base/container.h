/* From a member that is embedded to what it is embedded in. */
#ifndef CG_BASE_CONTAINER_H
#define CG_BASE_CONTAINER_H

#include <stddef.h>

/* `pointer` points to the member of that name of a `type`, wherever in it that is. */
#define CG_CONTAINER(pointer, type, member)                                                                            \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member) -                                                       \
                      0 * sizeof(struct {                                                                              \
                          _Static_assert(__builtin_types_compatible_p(__typeof__(*(pointer)),                          \
                                                                      __typeof__(((type *)NULL)->member)),             \
                                         "the pointer is to another type than the member's");                          \
                          char unused;                                                                                 \
                      })))

#endif
