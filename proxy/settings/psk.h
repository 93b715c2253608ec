/* The pre-shared keys that clients have for DTLS (RFC 4279). Internal to settings/. */
#ifndef CG_SETTINGS_PSK_H
#define CG_SETTINGS_PSK_H

#include "settings/rows.h"

/* While the clients are read. */
struct cg_psks {
    struct cg_seen *identities;
    uint8_t *next; /* room for a key, in the snapshot's psk_keys; NULL: there is no psk, or no memory */
};

/* `clients`: all there are. */
void cg_psks_init(struct cg_psks *psks, struct cg_reader *reader, const json_t *clients);
void cg_psks_fini(struct cg_psks *psks);

/* One client's {"identity", "key_file"}, and what is in that file. */
void cg_psk_read(struct cg_psks *psks, struct cg_reader *reader, const struct cg_at *at, const json_t *json,
                 struct cg_psk *psk);

#endif
