/* Texts with keys in them: reading the file, and JSON whose copies are wiped. */
#ifndef CG_SETTINGS_SECRET_H
#define CG_SETTINGS_SECRET_H

#include "base/slice.h"
#include "settings/settings.h"

#include <jansson.h>

/* A text in memory that is locked where the system allows it, guarded, and wiped when it is freed. */
struct cg_secret_text {
    uint8_t *data; /* owned; NULL: none */
    size_t len;
};

static inline struct cg_slice cg_secret_slice(const struct cg_secret_text *text) {
    return cg_slice_of(text->data, text->len);
}

/* Reads a regular file of at most CG_SETTINGS_FILE_MAX bytes. Unless `may_be_shared`, or it is one of systemd's
 * credentials, nobody but its owner may have a right to it. CG_E_FORMAT with a mistake at "", CG_E_NO_MEMORY; *text is
 * then empty. */
int cg_secret_read(struct cg_secret_text *text, const char *file, bool may_be_shared,
                   struct cg_mistakes *mistakes) CG_MUST_CHECK;
void cg_secret_free(struct cg_secret_text *text);

/* What a file's content is as a pre-shared key: its digits' bytes where it is hexadecimal alone, else it as it is,
 * without a text's line break. The length, which may be one that no key has; it is in `key` where it fits. */
size_t cg_secret_take_psk(struct cg_slice content, uint8_t key[CG_PSK_MAX]);

/* Room for `len` bytes of that kind; CG_E_NO_MEMORY. */
int cg_secret_alloc(struct cg_secret_text *text, size_t len) CG_MUST_CHECK;

/* Parses one JSON value; keys may not repeat. From the first call on everything that jansson frees in this process is
 * wiped. NULL: a mistake at "" that tells where and what kind, and quotes nothing; or no mistake, for want of memory.
 */
json_t *cg_secret_json(struct cg_slice text, struct cg_mistakes *mistakes);

/* Makes jansson wipe from now on; cg_secret_json does it as well. For those that build JSON with secrets in it. */
void cg_secret_json_wipes(void);

/* The JSON as text, with a newline at its end. CG_E_NO_MEMORY. */
int cg_secret_print(struct cg_secret_text *text, const json_t *json) CG_MUST_CHECK;

#endif
