/* What castgate-keys says when something is wrong. The hard thing: no sentence may quote a key. */
#include "tools/keys/report.h"

#include <stdio.h>

#include "settings/security_group.h"
#include "tools/keys/options.h"

int cg_keys_complain(const char *what) {
    (void)fprintf(stderr, "castgate-keys: %s\n", what);
    return -1;
}

int cg_keys_complain_about(const char *what, const char *why) {
    (void)fprintf(stderr, "castgate-keys: %s: %s\n", what, why);
    return -1;
}

/* An error of the functions below that has no sentence of its own. */
void cg_keys_explain(int err, char *error) {
    if (err == CG_E_NO_MEMORY || err == CG_E_INTERNAL)
        (void)snprintf(error, CG_KEYS_ERROR_MAX, "%s", cg_err_info(err)->text);
}

int cg_keys_list_mistakes(const char *file, const struct cg_mistakes *mistakes) {
    for (const struct cg_mistake *mistake = mistakes->first; mistake != NULL; mistake = mistake->next)
        (void)fprintf(stderr, "castgate-keys: %s%s%s: %s\n", file, *mistake->pointer == '\0' ? "" : " ",
                      mistake->pointer, mistake->message);
    if (mistakes->count > mistakes->listed)
        (void)fprintf(stderr, "castgate-keys: and %zu more\n", mistakes->count - mistakes->listed);
    return -1;
}

/* Whether every party could use the document. */
int cg_keys_check(const char *name, const json_t *document) {
    struct cg_security_group *group;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    int err = cg_security_group_read(document, CG_GROUP_FILE_MANAGER, &group, &mistakes), status = 0;
    if (err == CG_E_FORMAT)
        status = cg_keys_list_mistakes(name, &mistakes);
    else if (err != CG_OK)
        status = cg_keys_complain(cg_err_info(err)->text);
    cg_mistakes_fini(&mistakes);
    cg_security_group_free(group);
    return status;
}
