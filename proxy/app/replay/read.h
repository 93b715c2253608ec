/* A transcript as it was given out (recorder/transcript_json.h), read: the settings and the request that it began with,
 * what legs told, and what came of it. The file may be anybody's. */
#ifndef CG_APP_REPLAY_READ_H
#define CG_APP_REPLAY_READ_H

#include <jansson.h>

#include "app/replay/mute.h"
#include "model/known.h"
#include "recorder/transcript.h"

#define CG_REPLAY_FILE_MAX  ((size_t)256 << 20) /* bytes */
#define CG_REPLAY_PLACES    1024                /* hosts that unicast requests went to; of more nothing is known */
#define CG_REPLAY_WRONG_MAX 160                 /* bytes of a sentence, with NUL */

/* A member was asked lately why it was silent. */
struct cg_replay_probe {
    struct cg_addr at; /* family NONE: it was not */
    uint32_t signs;
};

struct cg_replay_script {
    struct cg_config *config; /* with its one mapping, which has no protector yet; its arena has all the rest */
    struct cg_mapping *mapping;
    struct cg_mute_member *standings; /* by member's number */
    struct cg_replay_probe *probes;   /* likewise */
    struct cg_known_record *knowns;
    size_t known_count;
    struct cg_request request;
    struct cg_transcript words, signs;
    struct cg_addr *places;
    size_t place_count;
    int64_t started_us, ended_us; /* as the transcript counts */
    uint32_t kernel_drops;
    bool has_left, is_joined;
    json_t *root;
    const json_t *exchange; /* what came of it, as a record */
};

/* CG_OK; CG_E_FORMAT, with why in `wrong`; CG_E_NO_MEMORY. The script is to be given up in any case. */
int cg_replay_read(struct cg_replay_script *script, struct cg_slice text,
                   char wrong[CG_REPLAY_WRONG_MAX]) CG_MUST_CHECK;
void cg_replay_give_up(struct cg_replay_script *script);

#endif
