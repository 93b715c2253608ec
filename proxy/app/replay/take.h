/* Values of a transcript that is being read. Internal to replay/: read.c, take_scene.c, take_words.c.
 *
 * A key that is not there is 0, false or empty. What is no good is refused, and told once; what comes of it then is
 * harmless, and nobody uses it. `of` is an object, or NULL, which has no keys. */
#ifndef CG_APP_REPLAY_TAKE_H
#define CG_APP_REPLAY_TAKE_H

#include <jansson.h>

#include "app/replay/read.h"

#define CG_REPLAY_DAY_US    (INT64_C(86400) * 1000000)
#define CG_REPLAY_LATEST_US (400 * CG_REPLAY_DAY_US)
#define CG_REPLAY_PATH      "/r" /* the mapping's: nobody knows it by another */

struct cg_taking {
    struct cg_replay_script *script;
    struct cg_arena *arena;
    char *wrong; /* CG_REPLAY_WRONG_MAX bytes */
    int err;     /* CG_OK, CG_E_FORMAT, CG_E_NO_MEMORY */
};

/* Only the first is told. */
void cg_take_refuse(struct cg_taking *reading, const char *format, ...) CG_PRINTF(2, 3);
void cg_take_lack_memory(struct cg_taking *reading);

int64_t cg_take_number(struct cg_taking *reading, const json_t *of, const char *key, int64_t least, int64_t most);
double cg_take_fraction(struct cg_taking *reading, const json_t *of, const char *key); /* from 0 to 1 */
bool cg_take_flag(const json_t *of, const char *key);
const char *cg_take_text(const json_t *of, const char *key); /* never NULL; valid as long as the document */
/* NULL: refused. */
const json_t *cg_take_list(struct cg_taking *reading, const json_t *of, const char *key, size_t most);
size_t cg_take_count(const struct cg_taking *reading, const json_t *of); /* 0 once something was refused */
/* In hexadecimal digits; here and below what is returned is in the arena. */
struct cg_slice cg_take_bytes(struct cg_taking *reading, const json_t *of, const char *key, size_t most);
struct cg_addr cg_take_addr(struct cg_taking *reading, const json_t *of, const char *key);
/* Which of the words. */
int cg_take_choice(struct cg_taking *reading, const json_t *of, const char *key, const char *const *words, size_t most);
/* As settings have paths. */
struct cg_slice cg_take_path(struct cg_taking *reading, const json_t *of, const char *key);
struct cg_slice cg_take_keep(struct cg_taking *reading, const char *value);
const char *cg_take_keep_name(struct cg_taking *reading, const char *value); /* NULL: it is empty */
void *cg_take_zalloc(struct cg_taking *reading, size_t items, size_t size);  /* NULL: no memory; said */

/* take_scene.c: the settings. */
void cg_take_scene(struct cg_taking *reading, const json_t *json);
/* take_words.c: what was told, each not before the one before it, the first not before from_us. */
void cg_take_words(struct cg_taking *reading, const char *key, struct cg_transcript *to, int64_t from_us);

#endif
