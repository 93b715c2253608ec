/* JSON with keys in it. The hard thing: what holds a key on its way is wiped. */
#include "keys/document.h"

#include "base/check.h"
#include "base/text.h"
#include "keys/keypair.h"

#include <sodium.h>

json_t *cg_keys_hex(const uint8_t *bytes, size_t len) {
    char hex[2 * CG_KEYPAIR_CRED_MAX + 1];
    CG_CHECK(len <= CG_KEYPAIR_CRED_MAX);
    sodium_bin2hex(hex, sizeof hex, bytes, len);
    json_t *json = json_string(hex);
    sodium_memzero(hex, sizeof hex);
    return json;
}

size_t cg_keys_bytes(const json_t *json, uint8_t *to, size_t cap) {
    size_t len = 0;
    if (json == NULL) return 0;
    int err = cg_hex_parse(cg_slice_str(json_string_value(json)), to, cap, &len);
    CG_CHECK(err == CG_OK); /* the document is valid */
    return len;
}

bool cg_keys_set(json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value) == 0;
}

bool cg_keys_copy(json_t *object, const json_t *from, const char *key) {
    json_t *value = json_object_get(from, key);
    return value == NULL || json_object_set(object, key, value) == 0;
}

const char *cg_keys_text(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

int cg_keys_number(const json_t *object, const char *key) {
    return (int)json_integer_value(json_object_get(object, key)); /* null: 0, which is CG_COSE_NONE */
}

enum cg_hash cg_keys_hash(const json_t *common) {
    const char *hkdf = cg_keys_text(common, "hkdf");
    return hkdf != NULL && strcmp(hkdf, "sha512") == 0 ? CG_SHA512 : CG_SHA256;
}

size_t cg_keys_key_len(int alg) {
    const struct cg_cose_cipher *cipher = alg == CG_COSE_NONE ? NULL : cg_cose_cipher(alg);
    return cipher == NULL ? 0 : cipher->key_len;
}

enum cg_cose_curve cg_keys_curve(const json_t *common) {
    int signature = cg_keys_number(common, "alg_signature");
    return signature == CG_COSE_NONE ? CG_CURVE_X25519 : cg_cose_signature_curve(signature);
}
