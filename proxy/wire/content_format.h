/* CoAP Content-Formats and Internet media types, both ways (RFC 7252 §12.3, RFC 8075 §6.2, §6.4 and IANA's registry).
 */
#ifndef CG_WIRE_CONTENT_FORMAT_H
#define CG_WIRE_CONTENT_FORMAT_H

#include "base/err.h"
#include "base/slice.h"

#define CG_FORMAT_CBOR           60
#define CG_FORMAT_MULTIPART_CORE 62
#define CG_FORMAT_LINKS          40
#define CG_FORMAT_OSCORE         10001
#define CG_FORMAT_NONE           UINT32_MAX

/* The media type with its parameters as HTTP writes it, e.g. 0 → "text/plain; charset=utf-8", 50 → "application/json".
 * Formats with a content coding (deflate) are not in this table. NULL when unknown; the caller then uses
 * "application/coap-payload;cf=N" (RFC 8075 §6.2). */
const char *cg_format_media_type(uint16_t format);

/* From an HTTP Content-Type or one element of Accept (parameters compared case-insensitively where the registry has
 * any, "q" ignored, "application/coap-payload;cf=N" understood, "text/plain" with charset utf-8, us-ascii or none is
 * 0). CG_E_MEDIA_TYPE. */
int cg_format_from_media_type(struct cg_slice media_type, uint16_t *format) CG_MUST_CHECK;

/* Whether it names a format by number, "application/coap-payload;cf=N": which a proxy takes only where it was told to
 * (RFC 8075 §6.2). */
bool cg_format_is_by_number(struct cg_slice media_type);

/* True for application/json, anything +json (by table), i.e. whether a JSON reply may embed it where it is valid. */
bool cg_format_is_json(uint16_t format);
/* True for text/… and other formats whose bytes are UTF-8 text (link-format, xml, json). */
bool cg_format_is_text(uint16_t format);

#endif
