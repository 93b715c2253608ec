/* From a member that is embedded to what it is embedded in. */
#ifndef CG_BASE_CONTAINER_H
#define CG_BASE_CONTAINER_H

#include <stddef.h>

/* `pointer` points to the member of that name of a `type`; its own type is checked against the member's. */
#define CG_CONTAINER(pointer, type, member)                                                                            \
    ((type *)(void *)((char *)(1 ? (pointer) : &((type *)NULL)->member) - offsetof(type, member)))

#endif
