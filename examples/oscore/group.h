/* A group's keys from a file of castgate-keys. */
#ifndef EXAMPLE_GROUP_H
#define EXAMPLE_GROUP_H

#include <castgate/oscore.h>

/* The Security Context of the file's owner, with all others of the group as peers, whose replay windows are in that
 * state. Ends the program if the file is none. */
struct cg_oscore_context *group_load(const char *file, enum cg_oscore_window_state windows);

/* The member with that Sender ID, in hexadecimal digits. Ends the program if there is none. */
struct cg_oscore_peer *group_peer(const struct cg_oscore_context *context, const char *id);

#endif
