/* A group's document as JSON: how its values are written and read (keyring.h shows it). Readers take a document that is
 * valid. */
#ifndef CG_KEYS_DOCUMENT_H
#define CG_KEYS_DOCUMENT_H

#include "base/slice.h"
#include "oscore/derive.h"

#include <jansson.h>

/* Bytes as a string in hexadecimal, and back; a value that is not there has no bytes. */
json_t *cg_keys_hex(const uint8_t *bytes, size_t len);
size_t cg_keys_bytes(const json_t *json, uint8_t *to, size_t cap);

/* Sets a key; a value that could not be made (NULL) is an error. Takes the reference. */
bool cg_keys_set(json_t *object, const char *key, json_t *value);
/* Sets a key to what it is in another object; nothing when it is not there. */
bool cg_keys_copy(json_t *object, const json_t *from, const char *key);

const char *cg_keys_text(const json_t *object, const char *key); /* NULL: it is not there */
int cg_keys_number(const json_t *object, const char *key);       /* null: 0, which is CG_COSE_NONE */

/* What the algorithms of `common` come to. */
enum cg_hash cg_keys_hash(const json_t *common);
enum cg_cose_curve cg_keys_curve(const json_t *common);
size_t cg_keys_key_len(int alg); /* bytes */

#endif
