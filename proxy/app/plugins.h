/* Encoders from shared objects (castgate/plugin.h, ABI 0): found, checked and loaded once, at the start. One that does
 * not fit is left out and the reason is logged; the gateway runs on without it.
 *
 * Its code runs with all that the gateway may do, so who could have written it is checked before it is opened as a
 * library. The folder and the file each
 * - belong to root or, unless the gateway itself runs as root, to any other user than the one it runs as;
 * - have no write permission for group and others (an ACL that grants one shows there too);
 * and the file is a regular file, no symbolic link. What is above the folder is not looked at. */
#ifndef CG_APP_PLUGINS_H
#define CG_APP_PLUGINS_H

#include "model/request.h"
#include "reply/encoders.h"

struct cg_plugins {
    struct cg_encoder_list encoders; /* the built-in ones, then the loaded ones in the order of the settings */
    const struct castgate_plugin **list;
    void **handles;
    size_t room, loaded;
};

/* Built-in ones only, with room for `room` more. CG_E_NO_MEMORY. */
int cg_plugins_init(struct cg_plugins *plugins, const struct cg_encoder_list *builtin, size_t room,
                    struct cg_problem *problem) CG_MUST_CHECK;
/* Unloads; nothing of an encoder may be in use. Fine on what is zeroed. */
void cg_plugins_fini(struct cg_plugins *plugins);

/* One file. CG_E_FORMAT: left out, *problem says why. */
int cg_plugins_add(struct cg_plugins *plugins, const char *folder, const char *file,
                   struct cg_problem *problem) CG_MUST_CHECK;

/* Who hears of each file that the settings name; `index` is its place there. */
struct cg_plugins_news {
    void (*refused)(void *ctx, size_t index, const char *file, const char *why);
    void (*loaded)(void *ctx, const char *file, const struct castgate_plugin *plugin); /* may be NULL */
    void *ctx;
};
extern const struct cg_plugins_news cg_plugins_log; /* a line in the log */

/* All that the settings name. CG_E_NO_MEMORY. */
int cg_plugins_load(struct cg_plugins *plugins, const struct cg_encoder_list *builtin, const struct cg_config *config,
                    const struct cg_plugins_news *news, struct cg_problem *problem) CG_MUST_CHECK;

#endif
