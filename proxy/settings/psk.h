/* The secrets that clients share with the gateway: keys for DTLS and TLS (RFC 4279), and OSCORE contexts (RFC 8613).
 * Internal to settings/. */
#ifndef CG_SETTINGS_PSK_H
#define CG_SETTINGS_PSK_H

#include "settings/rows.h"

/* While the clients are read. */
struct cg_psks {
    struct cg_seen *identities, *recipient_ids;
    uint8_t *next; /* room for a secret, in the snapshot's psk_keys; NULL: there is none, or no memory */
};

/* `clients`: all there are. */
void cg_psks_init(struct cg_psks *psks, struct cg_reader *reader, const json_t *clients);
void cg_psks_fini(struct cg_psks *psks);

/* One client's {"identity", "key_file"}, and what is in that file. */
void cg_psk_read(struct cg_psks *psks, struct cg_reader *reader, const struct cg_at *at, const json_t *json,
                 struct cg_psk *psk);
/* What is in the client's file, whose name is in *oscore. With a mistake that is gone. */
void cg_client_oscore_read(struct cg_psks *psks, struct cg_reader *reader, const struct cg_at *at,
                           struct cg_client_oscore *oscore);

#endif
