/* This gateway's own certificates, of listeners and towards next hops, that end soon: whoever is told when they have
 * ended is told too late. */
#ifndef CG_APP_CERTIFICATES_H
#define CG_APP_CERTIFICATES_H

#include "settings/settings.h"

#define CG_CERTIFICATE_SOON_DAYS 30

/* Looks when they end. Reads files: on the worker's thread, or where nothing else runs yet. What cannot be read,
 * whoever uses it will say. */
void cg_certificates_read(struct cg_config *config);
/* Adds a warning for each that has ended, or ends within CG_CERTIFICATE_SOON_DAYS. */
void cg_certificate_warnings(const struct cg_config *config, struct cg_mistakes *warnings);
/* castgate_certificate_expires_seconds, for each listener ("http", "coap", "admin") and each entry of "credentials"
 * whose certificate's end is known. */
void cg_certificate_metrics(const struct cg_config *config, struct cg_buf *to);

#endif
