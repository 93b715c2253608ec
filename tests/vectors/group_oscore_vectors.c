/* Why: interoperability. Runs the library over vectors that another implementation made: every derived value, the
 * sealed bytes, opening in the recipient's role, and each single bit changed. Hard: a file from elsewhere may lack
 * fields, have others, or follow habits of its author that the RFC leaves open; all of that is said, nothing of it
 * crashes or is silently skipped.
 *
 * Usage: group-oscore-vectors FILE.json ...   The last line is "N passed, M failed"; exit status 0 when M is 0. */
#include "oscore/classes.h"
#include "oscore/derive.h"
#include "oscore/nonce.h"
#include "oscore/oscore.h"
#include "oscore/state.h"
#include "base/text.h"

#include <jansson.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_MAX = 8192 };

struct bytes {
    uint8_t data[BYTES_MAX];
    size_t len;
};

static struct cg_slice slice(const struct bytes *bytes) { return cg_slice_of(bytes->data, bytes->len); }

/* One vector on its way. */
struct run {
    const char *name;
    json_t *vector, *inputs, *derived;
    struct cg_oscore_context *sender;    /* in the role of the message's sender */
    struct cg_oscore_context *recipient; /* in the role of its recipient */
    struct cg_oscore_peer *to, *from;    /* each as the other one's peer */
    bool is_request, group_mode, verify_only;
    bool has_number;
    uint64_t number;
    struct cg_msg plain, sealed; /* views into the next two */
    struct bytes plain_bytes, sealed_bytes;
    struct cg_slice option_value;
    struct cg_oscore_option option;
    struct cg_oscore_binding binding; /* of the request, as its client holds it */
    struct cg_slice ciphertext, encrypted_signature;
    struct cg_slice piv_id, piv;
    unsigned checks, failures, flips, notes;
};

static void say(struct run *run, const char *kind, const char *format, va_list args) CG_PRINTF(3, 0);
static void say(struct run *run, const char *kind, const char *format, va_list args) {
    printf("%s %s: ", kind, run->name);
    vprintf(format, args);
    printf("\n");
}

static void fail(struct run *run, const char *format, ...) CG_PRINTF(2, 3);
static void fail(struct run *run, const char *format, ...) {
    va_list args;
    va_start(args, format);
    say(run, "FAIL", format, args);
    va_end(args);
    run->failures++;
}

static void note(struct run *run, const char *format, ...) CG_PRINTF(2, 3);
static void note(struct run *run, const char *format, ...) {
    va_list args;
    va_start(args, format);
    say(run, "note", format, args);
    va_end(args);
    run->notes++;
}

static bool check(struct run *run, bool ok, const char *what) {
    run->checks++;
    if (!ok) fail(run, "%s", what);
    return ok;
}

static const char *hex(struct cg_slice bytes) {
    static char text[2 * BYTES_MAX + 1];
    size_t len = bytes.len < BYTES_MAX ? bytes.len : BYTES_MAX;
    for (size_t i = 0; i < len; i++) snprintf(text + 2 * i, 3, "%02x", bytes.data[i]);
    text[2 * len] = '\0';
    return text;
}

/* A hex string in an object; false when the field is absent or null, and when it is no hex string, which is a failure.
 */
static bool get_hex(struct run *run, json_t *object, const char *key, struct bytes *to) {
    json_t *field = json_object_get(object, key);
    if (field == NULL || json_is_null(field)) return false;
    struct cg_slice text = cg_slice_of(json_string_value(field), json_string_length(field));
    if (json_is_string(field) && cg_hex_parse(text, to->data, sizeof(to->data), &to->len) == CG_OK) return true;
    fail(run, "field %s is not a string of at most %d bytes in hex", key, BYTES_MAX);
    return false;
}

static bool need_hex(struct run *run, json_t *object, const char *key, struct bytes *to) {
    unsigned before = run->failures;
    if (get_hex(run, object, key, to)) return true;
    if (run->failures == before) fail(run, "field %s is missing", key);
    return false;
}

/* Compares a derived value with the vector's; an absent field is noted. */
static void compare(struct run *run, json_t *object, const char *key, struct cg_slice actual) {
    struct bytes expected;
    unsigned before = run->failures;
    if (!get_hex(run, object, key, &expected)) {
        if (run->failures == before) note(run, "no field %s, not checked", key);
        return;
    }
    run->checks++;
    if (cg_slice_equal(slice(&expected), actual)) return;
    fail(run, "%s is %s", key, hex(actual));
    printf("     %s: expected %s\n", run->name, hex(slice(&expected)));
}

static void note_unknown(struct run *run, json_t *object, const char *where, const char *const *known) {
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        size_t i = 0;
        while (known[i] != NULL && strcmp(known[i], key) != 0) i++;
        if (known[i] == NULL) note(run, "unknown field %s%s, not checked", where, key);
    }
}

static int get_alg(struct run *run, const char *key) {
    json_t *field = json_object_get(run->inputs, key);
    if (json_is_integer(field) && llabs(json_integer_value(field)) < 1000000) return (int)json_integer_value(field);
    if (field != NULL && !json_is_null(field)) fail(run, "inputs.%s is not a COSE number", key);
    return CG_COSE_NONE;
}

static enum cg_hash get_hash(struct run *run) {
    json_t *hmac = json_object_get(json_object_get(run->inputs, "hkdf"), "cose_hmac");
    if (json_integer_value(hmac) == 5) return CG_SHA256;
    if (json_integer_value(hmac) == 7) return CG_SHA512;
    fail(run, "inputs.hkdf.cose_hmac is neither 5 nor 7");
    return CG_SHA256;
}

struct party {
    struct bytes id, private_key, cred;
};

static bool get_party(struct run *run, const char *key, struct party *party) {
    json_t *object = json_object_get(run->inputs, key);
    static const char *const known[] = {"id", "private_key", "public_key", "auth_cred", NULL};
    note_unknown(run, object, key, known);
    return need_hex(run, object, "id", &party->id) && need_hex(run, object, "private_key", &party->private_key) &&
           need_hex(run, object, "auth_cred", &party->cred);
}

static struct cg_oscore_context *new_context(struct run *run, struct cg_oscore_params *params, const struct party *self,
                                             const struct party *other, struct cg_oscore_peer **peer) {
    struct cg_oscore_sender_params sender = {
        .id = slice(&self->id), .private_key = slice(&self->private_key), .cred = slice(&self->cred)};
    struct cg_oscore_context *context;
    const char *why = "no memory";
    params->sender = &sender;
    if (cg_oscore_context_new(&context, params, &why) != CG_OK) {
        fail(run, "no security context: %s", why);
        return NULL;
    }
    if (cg_oscore_peer_add(context, slice(&other->id), slice(&other->cred), CG_OSCORE_WINDOW_NEW, peer, &why) == CG_OK)
        return context;
    fail(run, "no recipient context: %s", why);
    cg_oscore_context_unref(context);
    return NULL;
}

/* The switch is no field of its own; the array's first byte tells. */
static bool signs_four_elements(struct run *run) {
    struct bytes structure;
    json_t *field = json_object_get(run->derived, "countersign_structure");
    if (!json_is_string(field) || !get_hex(run, run->derived, "countersign_structure", &structure)) return false;
    return structure.len > 0 && structure.data[0] == 0x84;
}

static bool set_up_contexts(struct run *run) {
    static const char *const known[] = {"alg_aead",      "alg_group_enc",
                                        "alg_signature", "alg_pairwise_key_agreement",
                                        "hkdf",          "names",
                                        "master_secret", "master_salt",
                                        "gid",           "gm_cred",
                                        "cred_fmt",      "sender",
                                        "recipient",     NULL};
    struct bytes secret, salt = {.len = 0}, gid, gm_cred;
    struct party sender, recipient;
    note_unknown(run, run->inputs, "inputs.", known);
    get_hex(run, run->inputs, "master_salt", &salt);
    if (!need_hex(run, run->inputs, "master_secret", &secret) || !need_hex(run, run->inputs, "gid", &gid) ||
        !need_hex(run, run->inputs, "gm_cred", &gm_cred) || !get_party(run, "sender", &sender) ||
        !get_party(run, "recipient", &recipient))
        return false;
    struct cg_oscore_params params = {
        .group = true,
        .alg_aead = get_alg(run, "alg_aead"),
        .alg_group_enc = get_alg(run, "alg_group_enc"),
        .alg_signature = get_alg(run, "alg_signature"),
        .alg_agreement = get_alg(run, "alg_pairwise_key_agreement"),
        .hkdf = get_hash(run),
        .master_secret = slice(&secret),
        .master_salt = slice(&salt),
        .has_id_context = true,
        .id_context = slice(&gid),
        .gm_cred = slice(&gm_cred),
        .countersign_four = signs_four_elements(run),
    };
    run->sender = new_context(run, &params, &sender, &recipient, &run->to);
    if (run->sender != NULL) run->recipient = new_context(run, &params, &recipient, &sender, &run->from);
    return run->recipient != NULL;
}

/* ---- derived values ---- */

static void check_kdf_call(struct run *run, json_t *calls, const char *key, struct cg_slice salt, struct cg_slice ikm,
                           struct cg_slice info, size_t len, struct cg_slice out) {
    json_t *call = json_object_get(calls, key);
    uint8_t again[64];
    if (call == NULL) {
        note(run, "no KDF call %s, not checked", key);
        return;
    }
    compare(run, call, "salt", salt);
    compare(run, call, "ikm", ikm);
    compare(run, call, "info", info);
    compare(run, call, "out", out);
    check(run, json_integer_value(json_object_get(call, "L")) == (json_int_t)len, "L of a KDF call differs");
    check(run,
          cg_hkdf(run->sender->hash, salt, ikm, info, again, len) == CG_OK &&
              cg_slice_equal(out, cg_slice_of(again, len)),
          "HKDF in one step gives another value");
}

static void check_common_call(struct run *run, const char *key, struct cg_slice id, const char *type,
                              const uint8_t *out, size_t len) {
    uint8_t info[CG_INFO_MAX];
    struct bytes secret, salt = {.len = 0};
    const struct cg_oscore_context *context = run->sender;
    size_t info_len = cg_info_key(info, id, &context->id_context, cg_oscore_info_cipher(context)->id, type, len);
    get_hex(run, run->inputs, "master_secret", &secret);
    get_hex(run, run->inputs, "master_salt", &salt);
    check_kdf_call(run, json_object_get(run->derived, "context_kdf_calls"), key, slice(&salt), slice(&secret),
                   cg_slice_of(info, info_len), len, cg_slice_of(out, len));
}

/* Calls named "recipient_key:ID": of any member, not only of this message's recipient. */
static void check_recipient_calls(struct run *run) {
    static const char prefix[] = "recipient_key:";
    json_t *calls = json_object_get(run->derived, "context_kdf_calls"), *call;
    const char *key;
    json_object_foreach(calls, key, call) {
        if (strcmp(key, "sender_key") == 0 || strcmp(key, "common_iv") == 0 ||
            strcmp(key, "signature_encryption_key") == 0)
            continue;
        uint8_t id[CG_OSCORE_ID_MAX], out[CG_COSE_KEY_MAX];
        size_t len;
        if (strncmp(key, prefix, sizeof(prefix) - 1) != 0 ||
            cg_hex_parse(cg_slice_str(key + sizeof(prefix) - 1), id, sizeof(id), &len) != CG_OK) {
            note(run, "unknown KDF call %s, not checked", key);
            continue;
        }
        if (check(run, cg_oscore_derive_key(run->sender, cg_slice_of(id, len), out) == CG_OK, "no Recipient Key"))
            check_common_call(run, key, cg_slice_of(id, len), "Key", out, cg_oscore_info_cipher(run->sender)->key_len);
    }
}

static void check_common(struct run *run) {
    const struct cg_oscore_context *context = run->sender;
    const struct cg_oscore_secrets *secrets = context->secrets;
    size_t key_len = cg_oscore_info_cipher(context)->key_len;
    compare(run, run->derived, "sender_key", cg_slice_of(secrets->sender_key, key_len));
    compare(run, run->derived, "recipient_key", cg_slice_of(run->to->recipient_key, key_len));
    compare(run, run->derived, "common_iv", cg_slice_of(secrets->common_iv, context->common_iv_len));
    check_common_call(run, "sender_key", cg_oscore_sender_id(context), "Key", secrets->sender_key, key_len);
    check_common_call(run, "common_iv", CG_SLICE_NONE, "IV", secrets->common_iv, context->common_iv_len);
    check_recipient_calls(run);
    if (context->group_enc == NULL) return;
    compare(run, run->derived, "signature_encryption_key", cg_slice_of(secrets->signature_encryption_key, key_len));
    check_common_call(run, "signature_encryption_key", CG_SLICE_NONE, "SEKey", secrets->signature_encryption_key,
                      key_len);
}

static void check_pairwise_call(struct run *run, const char *key, struct cg_slice id, const uint8_t *salt,
                                struct cg_slice first, struct cg_slice second, const uint8_t secret[32]) {
    const struct cg_oscore_context *context = run->sender;
    uint8_t info[CG_INFO_MAX], out[CG_COSE_KEY_MAX];
    struct bytes ikm = {.len = first.len + second.len + 32};
    size_t len = context->aead->key_len;
    memcpy(ikm.data, first.data, first.len);
    memcpy(ikm.data + first.len, second.data, second.len);
    memcpy(ikm.data + first.len + second.len, secret, 32);
    size_t info_len = cg_info_key(info, id, &context->id_context, context->aead->id, "Key", len);
    if (!check(run, cg_oscore_pairwise_key(context, id, salt, first, second, secret, out) == CG_OK, "no pairwise key"))
        return;
    compare(run, run->derived, key, cg_slice_of(out, len));
    check_kdf_call(run, json_object_get(run->derived, "pairwise_kdf_calls"), key,
                   cg_slice_of(salt, cg_oscore_info_cipher(context)->key_len), slice(&ikm), cg_slice_of(info, info_len),
                   len, cg_slice_of(out, len));
    if (!run->group_mode && strcmp(key, "pairwise_sender_key") == 0)
        compare(run, run->derived, "encryption_key", cg_slice_of(out, len));
}

static void check_pairwise(struct run *run) {
    const struct cg_oscore_context *context = run->sender;
    uint8_t secret[32], other[32];
    if (!cg_oscore_has_pairwise_mode(context)) return;
    bool agreed = cg_agree(&context->private_key, &run->to->public_key, secret) == CG_OK &&
                  cg_agree(&run->recipient->private_key, &run->from->public_key, other) == CG_OK;
    if (!check(run, agreed, "no shared secret")) return;
    check(run, memcmp(secret, other, 32) == 0, "the two sides' shared secrets differ");
    compare(run, run->derived, "shared_secret", cg_slice_of(secret, 32));
    check_pairwise_call(run, "pairwise_sender_key", cg_oscore_sender_id(context), context->secrets->sender_key,
                        context->cred, cg_oscore_peer_cred(run->to), secret);
    check_pairwise_call(run, "pairwise_recipient_key", cg_oscore_peer_id(run->to), run->to->recipient_key,
                        cg_oscore_peer_cred(run->to), context->cred, secret);
}

/* ---- the message ---- */

static bool parse_msg(struct run *run, json_t *object, const char *key, struct bytes *bytes, struct cg_msg *msg) {
    if (!need_hex(run, object, key, bytes)) return false;
    if (cg_msg_parse(msg, slice(bytes)) == CG_OK) return true;
    fail(run, "%s is not a CoAP message", key);
    return false;
}

static bool load_messages(struct run *run) {
    if (!parse_msg(run, run->vector, "plain_message", &run->plain_bytes, &run->plain) ||
        !parse_msg(run, run->vector, "protected_message", &run->sealed_bytes, &run->sealed))
        return false;
    if (!check(run, cg_oscore_find_option(&run->sealed, &run->option_value) == CG_OK, "no OSCORE option") ||
        !check(run, cg_oscore_option_parse(&run->option, run->option_value) == CG_OK, "malformed OSCORE option"))
        return false;
    run->is_request = cg_code_is_request(run->plain.code);
    run->group_mode = json_is_true(json_object_get(run->vector, "group_mode"));
    run->verify_only = json_is_true(json_object_get(run->vector, "verify_only"));
    json_t *number = json_object_get(run->vector, "sender_seq");
    run->has_number = json_is_integer(number) && json_integer_value(number) >= 0;
    run->number = run->has_number ? (uint64_t)json_integer_value(number) : 0;
    check(run, run->option.group == run->group_mode, "the Group Flag differs from group_mode");
    run->ciphertext = run->sealed.payload;
    if (run->group_mode) {
        if (!check(run, run->ciphertext.len > CG_COSE_SIGNATURE_LEN, "no room for a countersignature")) return false;
        run->ciphertext.len -= CG_COSE_SIGNATURE_LEN;
        run->encrypted_signature = cg_slice_of(run->ciphertext.data + run->ciphertext.len, CG_COSE_SIGNATURE_LEN);
    }
    return true;
}

static bool set_id(struct run *run, const char *key, uint8_t *to, size_t cap, uint8_t *len) {
    struct bytes bytes;
    if (!need_hex(run, run->vector, key, &bytes)) return false;
    if (bytes.len > cap) {
        fail(run, "field %s is too long", key);
        return false;
    }
    memcpy(to, bytes.data, bytes.len);
    *len = (uint8_t)bytes.len;
    return true;
}

/* What the client remembers of the request: for a request that is this very message. */
static bool load_binding(struct run *run) {
    struct cg_oscore_binding *b = &run->binding;
    struct cg_slice observe;
    if (run->is_request) {
        bool parsed = cg_oscore_binding_parse(b, &run->sealed) == CG_OK;
        return check(run, parsed, "the request's OSCORE option lacks kid or Partial IV");
    }
    if (!set_id(run, "request_kid", b->kid, sizeof(b->kid), &b->kid_len) ||
        !set_id(run, "request_piv", b->piv, sizeof(b->piv), &b->piv_len) ||
        !set_id(run, "request_kid_context", b->kid_context, sizeof(b->kid_context), &b->kid_context_len))
        return false;
    json_t *request = json_object_get(run->vector, "request");
    struct bytes bytes;
    struct cg_msg msg;
    struct cg_oscore_option option;
    struct cg_slice value;
    if (!parse_msg(run, request, "protected_message", &bytes, &msg)) return false;
    if (!check(run, cg_oscore_find_option(&msg, &value) == CG_OK && cg_oscore_option_parse(&option, value) == CG_OK,
               "the request has no OSCORE option"))
        return false;
    b->group_mode = option.group;
    if (!option.group) cg_oscore_binding_expect(b, run->from);
    compare(run, run->vector, "request_kid", option.kid);
    compare(run, run->vector, "request_piv", option.piv);
    compare(run, run->vector, "request_kid_context", option.kid_context);
    if (!parse_msg(run, request, "plain_message", &bytes, &msg)) return false;
    b->observe = cg_msg_find(&msg, CG_OPT_OBSERVE, &observe) && observe.len == 0;
    return true;
}

/* Plaintext as our own split makes it. */
static bool compose_plaintext(struct run *run, struct bytes *plaintext) {
    struct cg_msg_writer w;
    cg_msg_begin_inner(&w, plaintext->data, sizeof(plaintext->data), run->plain.code);
    if (cg_oscore_put_inner(run->sender, &run->plain, &w) != CG_OK) return false;
    cg_msg_put_payload(&w, run->plain.payload);
    int len = cg_msg_end(&w);
    plaintext->len = len < 0 ? 0 : (size_t)len;
    return len >= 0;
}

/* RFC 8613 §4.1.3.5.2 wants a notification's inner Observe empty; aiocoap leaves the value in. Such vectors are checked
 * with their own plaintext. */
static bool plaintext_is_ours(struct run *run, const struct bytes *ours, struct bytes *theirs) {
    if (!get_hex(run, run->derived, "plaintext", theirs)) {
        *theirs = *ours;
        return true;
    }
    if (cg_slice_equal(slice(ours), slice(theirs))) return true;
    struct cg_slice observe;
    if (!run->is_request && cg_msg_find(&run->plain, CG_OPT_OBSERVE, &observe) && observe.len > 0) {
        note(run, "inner Observe of a notification is not empty; checked with the vector's own plaintext");
        return false;
    }
    compare(run, run->derived, "plaintext", slice(ours));
    return false;
}

static struct cg_slice check_aad(struct run *run, uint8_t *array, size_t cap, struct bytes *enc_structure) {
    struct cg_aad aad = cg_oscore_aad(run->sender);
    aad.request_kid = cg_oscore_binding_kid(&run->binding);
    aad.request_piv = cg_oscore_binding_piv(&run->binding);
    aad.request_kid_context = cg_oscore_binding_kid_context(&run->binding);
    aad.option = run->option_value;
    aad.sender_cred = run->sender->cred;
    int len = cg_aad_emit_array(array, cap, &aad);
    struct cg_slice made = cg_slice_of(array, len < 0 ? 0 : (size_t)len);
    compare(run, run->derived, "external_aad", made);
    len = cg_aad_emit_enc_structure(enc_structure->data, sizeof(enc_structure->data), made);
    enc_structure->len = len < 0 ? 0 : (size_t)len;
    compare(run, run->derived, "enc_structure", slice(enc_structure));
    return made;
}

/* Encrypts the vector's plaintext step by step. */
static void check_encryption(struct run *run, const struct bytes *plaintext, const struct bytes *enc_structure) {
    struct cg_oscore_context *context = run->sender;
    const struct cg_cose_cipher *cipher = run->group_mode ? context->group_enc : context->aead;
    struct cg_aead_key *key = run->group_mode ? &context->group_send_key : &run->to->send_key;
    uint8_t nonce[CG_COSE_NONCE_MAX];
    struct bytes sealed = *plaintext;
    if (!run->group_mode && !check(run, cg_oscore_direct_keys(run->to) == CG_OK, "no pairwise keys")) return;
    cg_oscore_nonce(nonce, cipher->nonce_len, run->piv_id, run->piv, context->secrets->common_iv);
    compare(run, run->derived, "nonce", cg_slice_of(nonce, cipher->nonce_len));
    if (run->group_mode)
        compare(run, run->derived, "encryption_key", cg_slice_of(context->secrets->sender_key, cipher->key_len));
    if (!check(run, cg_aead_seal(key, nonce, slice(enc_structure), sealed.data, sealed.len) == CG_OK, "no encryption"))
        return;
    sealed.len += cipher->tag_len;
    compare(run, run->derived, "ciphertext", slice(&sealed));
    check(run, cg_slice_equal(slice(&sealed), run->ciphertext), "the message's ciphertext differs");
}

static void check_signature(struct run *run, struct cg_slice array) {
    struct cg_oscore_context *context = run->sender;
    uint8_t info[CG_INFO_MAX], keystream[CG_COSE_SIGNATURE_LEN], signature[CG_COSE_SIGNATURE_LEN],
        again[CG_COSE_SIGNATURE_LEN];
    struct bytes structure;
    int len = cg_aad_emit_countersign_structure(structure.data, sizeof(structure.data), context->countersign_four,
                                                array, run->ciphertext, NULL, NULL);
    structure.len = len < 0 ? 0 : (size_t)len;
    compare(run, run->derived, "countersign_structure", slice(&structure));
    compare(run, run->derived, "keystream_salt", run->piv);
    size_t info_len = cg_info_keystream(info, run->piv_id, context->id_context, run->is_request, CG_COSE_SIGNATURE_LEN);
    compare(run, run->derived, "keystream_info", cg_slice_of(info, info_len));
    if (!check(run, cg_oscore_keystream(context, run->piv_id, run->piv, run->is_request, keystream) == CG_OK,
               "no keystream"))
        return;
    compare(run, run->derived, "keystream", cg_slice_of(keystream, sizeof(keystream)));
    compare(run, run->derived, "encrypted_signature", run->encrypted_signature);
    for (size_t i = 0; i < sizeof(signature); i++) signature[i] = run->encrypted_signature.data[i] ^ keystream[i];
    compare(run, run->derived, "signature", cg_slice_of(signature, sizeof(signature)));
    check(run, cg_verify(&run->from->public_key, slice(&structure), signature), "the signature does not verify");
    if (run->verify_only) return;
    check(run,
          cg_sign(&context->private_key, slice(&structure), again) == CG_OK &&
              memcmp(again, signature, sizeof(again)) == 0,
          "signing gives another signature");
}

/* ---- sealing ---- */

/* aiocoap's habits outside of what is protected: it drops Uri-Port and Proxy-Scheme, lets a notification's outer
 * Observe be set afterwards and derives a response's outer code from the request's. Everything else of the outer
 * options must agree. */
static bool outer_is_tolerable(const struct run *run, const struct cg_opt *opt) {
    if (!run->is_request) return opt->number == CG_OPT_OBSERVE;
    return opt->number == CG_OPT_URI_PORT || opt->number == CG_OPT_PROXY_SCHEME;
}

static bool next_strict(const struct run *run, struct cg_opt_iter *iter, struct cg_opt *opt) {
    while (cg_opt_next(iter, opt))
        if (!outer_is_tolerable(run, opt)) return true;
    return false;
}

static bool outer_options_agree(const struct run *run, const struct cg_msg *ours, const struct cg_msg *theirs) {
    struct cg_opt_iter a, b;
    struct cg_opt left, right;
    cg_opt_iter_init(&a, ours);
    cg_opt_iter_init(&b, theirs);
    for (;;) {
        bool more = next_strict(run, &a, &left);
        if (more != next_strict(run, &b, &right)) return false;
        if (!more) return true;
        if (left.number != right.number || !cg_slice_equal(left.value, right.value)) return false;
    }
}

static void compare_sealed(struct run *run, struct cg_slice ours) {
    struct cg_msg msg;
    if (!check(run, cg_msg_parse(&msg, ours) == CG_OK, "the sealed message does not parse")) return;
    struct cg_slice mine = msg.payload, theirs = run->sealed.payload;
    if (run->verify_only && run->group_mode && mine.len > CG_COSE_SIGNATURE_LEN) {
        mine.len -= CG_COSE_SIGNATURE_LEN;
        theirs.len -= CG_COSE_SIGNATURE_LEN;
    }
    check(run, cg_slice_equal(mine, theirs) && msg.payload.len == run->sealed.payload.len,
          "the sealed payload differs");
    if (!run->verify_only && cg_slice_equal(ours, slice(&run->sealed_bytes))) return;
    bool header = msg.type == run->sealed.type && msg.mid == run->sealed.mid &&
                  msg.token.len == run->sealed.token.len &&
                  memcmp(msg.token.bytes, run->sealed.token.bytes, msg.token.len) == 0;
    check(run, header, "type, MID or token of the sealed message differ");
    check(run, outer_options_agree(run, &msg, &run->sealed), "outer options of the sealed message differ");
    if (msg.code != run->sealed.code && !run->is_request)
        note(run, "outer code %d.%02d instead of %d.%02d", msg.code >> 5, msg.code & 31, run->sealed.code >> 5,
             run->sealed.code & 31);
    else
        check(run, msg.code == run->sealed.code, "the outer code differs");
    if (!run->verify_only) note(run, "outer part differs from ours only where the source's conventions say so");
}

/* The server's view of the request: opened where these contexts can open it, else put together from the vector's
 * fields. */
static void load_server_binding(struct run *run, struct cg_oscore_binding *binding) {
    struct bytes bytes, room;
    struct cg_msg msg, plain;
    struct cg_oscore_opened opened;
    json_t *request = json_object_get(run->vector, "request");
    *binding = run->binding;
    binding->serial = run->sender->serial;
    if (!cg_slice_equal(cg_oscore_binding_kid_context(binding), run->sender->id_context) ||
        !cg_slice_equal(cg_oscore_binding_kid(binding), cg_oscore_peer_id(run->to))) {
        note(run, "the request is under another context, not opened");
        return;
    }
    if (!parse_msg(run, request, "protected_message", &bytes, &msg)) return;
    int err = cg_oscore_open_request(run->sender, &msg, room.data, sizeof(room.data), &plain, &opened);
    if (!binding->group_mode && err == CG_E_VERIFY) {
        note(run, "the pairwise request was for another member, not opened");
        return;
    }
    if (!check(run, err == CG_OK, "the request cannot be opened")) return;
    *binding = opened.binding;
}

static void check_seal(struct run *run) {
    struct bytes sealed;
    struct cg_oscore_binding binding;
    struct cg_oscore_peer *to = run->group_mode ? NULL : run->to;
    int len;
    if (run->is_request) {
        len = cg_oscore_seal_request(run->sender, to, run->number, &run->plain, sealed.data, sizeof(sealed.data),
                                     &binding);
    } else {
        struct cg_oscore_reply reply = {
            .to = to,
            .has_number = run->has_number,
            .number = run->number,
            .with_kid = run->option.has_kid,
            .with_kid_context = run->option.has_kid_context,
        };
        load_server_binding(run, &binding);
        len = cg_oscore_seal_response(run->sender, &reply, &run->plain, sealed.data, sizeof(sealed.data), &binding);
    }
    if (len < 0) {
        fail(run, "sealing is refused: %s", cg_err_info(len)->text);
        return;
    }
    compare_sealed(run, cg_slice_of(sealed.data, (size_t)len));
}

/* ---- opening ---- */

static int open_message(struct run *run, const struct cg_msg *sealed, struct bytes *room, struct cg_msg *plain) {
    struct cg_oscore_answers answers = {.bare = false};
    struct cg_oscore_opened opened;
    *cg_oscore_peer_window(run->from) = (struct cg_oscore_window){.used = false};
    if (run->is_request)
        return cg_oscore_open_request(run->recipient, sealed, room->data, sizeof(room->data), plain, &opened);
    return cg_oscore_open_response(run->recipient, sealed, &run->binding, &answers, room->data, sizeof(room->data),
                                   plain, &opened);
}

/* Options that do not arrive as they were sent: those that aiocoap drops, and Observe, which a receiver sets by Partial
 * IV. */
static bool is_volatile(const struct run *run, uint16_t number) {
    return number == CG_OPT_URI_PORT || number == CG_OPT_PROXY_SCHEME || (!run->is_request && number == CG_OPT_OBSERVE);
}

static bool next_steady(const struct run *run, bool inner_only, const struct cg_msg *msg, struct cg_opt_iter *iter,
                        struct cg_opt *opt) {
    while (cg_opt_next(iter, opt)) {
        if (is_volatile(run, opt->number)) continue;
        if (!inner_only || !cg_oscore_option_is_outer(run->sender, msg, opt->number)) return true;
    }
    return false;
}

/* Equal in what is protected; with `outer` also in the options that are not. */
static bool same_plain(const struct run *run, const struct cg_msg *x, const struct cg_msg *y, bool outer) {
    struct cg_opt_iter a, b;
    struct cg_opt left, right;
    if (x->code != y->code || !cg_slice_equal(x->payload, y->payload)) return false;
    cg_opt_iter_init(&a, x);
    cg_opt_iter_init(&b, y);
    for (;;) {
        bool more = next_steady(run, !outer, x, &a, &left);
        if (more != next_steady(run, !outer, y, &b, &right)) return false;
        if (!more) return true;
        if (left.number != right.number || !cg_slice_equal(left.value, right.value)) return false;
    }
}

static void check_open(struct run *run) {
    struct bytes room;
    struct cg_msg plain;
    int err = open_message(run, &run->sealed, &room, &plain);
    if (err != CG_OK) {
        fail(run, "opening is refused: %s", cg_err_info(err)->text);
        return;
    }
    check(run, same_plain(run, &plain, &run->plain, true), "the opened message differs from plain_message");
}

static bool lies_in(size_t at, struct cg_slice part, const uint8_t *start) {
    return part.len > 0 && start + at >= part.data && start + at < part.data + part.len;
}

/* Every single bit: what is protected must make the message refused; what is not must at least not change what is
 * protected. */
static void check_flips(struct run *run) {
    struct bytes flipped = run->sealed_bytes, room;
    for (size_t at = 0; at < flipped.len && run->failures < 20; at++) {
        for (int bit = 0; bit < 8; bit++) {
            struct cg_msg msg, plain;
            flipped.data[at] ^= (uint8_t)(1 << bit);
            run->flips++;
            if (cg_msg_parse(&msg, slice(&flipped)) == CG_OK && open_message(run, &msg, &room, &plain) == CG_OK) {
                if (lies_in(at, run->option_value, run->sealed_bytes.data) ||
                    lies_in(at, run->sealed.payload, run->sealed_bytes.data))
                    fail(run, "accepted with bit %d of byte %zu changed", bit, at);
                else if (!same_plain(run, &plain, &run->plain, false))
                    fail(run, "bit %d of byte %zu changed what is protected", bit, at);
            }
            flipped.data[at] ^= (uint8_t)(1 << bit);
        }
    }
}

/* ---- a whole vector ---- */

static void check_message(struct run *run) {
    uint8_t array[BYTES_MAX], piv[CG_OSCORE_PIV_MAX];
    struct bytes ours, plaintext, enc_structure;
    compare(run, run->derived, "oscore_option", run->option_value);
    run->piv_id = cg_oscore_binding_kid(&run->binding);
    run->piv = cg_oscore_binding_piv(&run->binding);
    if (run->has_number) {
        if (!check(run, run->number <= CG_OSCORE_NUMBER_MAX, "sender_seq is too large")) return;
        run->piv_id = cg_oscore_sender_id(run->sender);
        run->piv = cg_slice_of(piv, cg_oscore_piv_emit(piv, run->number));
    }
    compare(run, run->derived, "partial_iv", run->piv);
    if (!check(run, compose_plaintext(run, &ours), "no plaintext can be made of plain_message")) return;
    bool same = plaintext_is_ours(run, &ours, &plaintext);
    if (same) compare(run, run->derived, "plaintext", slice(&ours));
    struct cg_slice aad = check_aad(run, array, sizeof(array), &enc_structure);
    check_encryption(run, &plaintext, &enc_structure);
    if (run->group_mode) check_signature(run, aad);
    if (same) check_seal(run);
    check_open(run);
    check_flips(run);
}

static bool run_vector(json_t *vector, size_t index) {
    static const char *const known[] = {
        "name",        "kind",        "group_mode",          "verify_only",       "inputs",
        "note",        "request",     "plain_message",       "protected_message", "sender_seq",
        "request_kid", "request_piv", "request_kid_context", "derived",           NULL};
    static const char *const known_derived[] = {"sender_key",
                                                "common_iv",
                                                "signature_encryption_key",
                                                "context_kdf_calls",
                                                "recipient_key",
                                                "shared_secret",
                                                "pairwise_sender_key",
                                                "pairwise_recipient_key",
                                                "pairwise_kdf_calls",
                                                "oscore_option",
                                                "partial_iv",
                                                "nonce",
                                                "encryption_key",
                                                "plaintext",
                                                "external_aad",
                                                "enc_structure",
                                                "ciphertext",
                                                "countersign_structure",
                                                "signature",
                                                "keystream_salt",
                                                "keystream_info",
                                                "keystream",
                                                "encrypted_signature",
                                                NULL};
    static struct run run;
    char unnamed[32];
    snprintf(unnamed, sizeof(unnamed), "vector %zu", index);
    memset(&run, 0, sizeof(run));
    run.name = json_string_value(json_object_get(vector, "name"));
    if (run.name == NULL) run.name = unnamed;
    run.vector = vector;
    run.inputs = json_object_get(vector, "inputs");
    run.derived = json_object_get(vector, "derived");
    note_unknown(&run, vector, "", known);
    note_unknown(&run, run.derived, "derived.", known_derived);
    if (run.derived == NULL) note(&run, "no field derived, only the messages are checked");
    if (set_up_contexts(&run) && load_messages(&run) && load_binding(&run)) {
        check_common(&run);
        check_pairwise(&run);
        check_message(&run);
    }
    if (run.sender != NULL) cg_oscore_context_unref(run.sender);
    if (run.recipient != NULL) cg_oscore_context_unref(run.recipient);
    printf("%s %s: %u checks, %u bit flips\n", run.failures == 0 ? "ok  " : "BAD ", run.name, run.checks, run.flips);
    return run.failures == 0;
}

static void run_file(const char *path, unsigned *passed, unsigned *failed) {
    json_error_t error;
    json_t *file = json_load_file(path, 0, &error), *vector;
    json_t *vectors = json_object_get(file, "vectors");
    size_t index;
    if (!json_is_array(vectors)) {
        printf("FAIL %s: %s\n", path, file == NULL ? error.text : "no array \"vectors\"");
        (*failed)++;
    }
    json_array_foreach(vectors, index, vector) {
        if (run_vector(vector, index))
            (*passed)++;
        else
            (*failed)++;
    }
    json_decref(file);
}

int main(int argc, char **argv) {
    unsigned passed = 0, failed = 0;
    if (argc < 2 || sodium_init() < 0) {
        fprintf(stderr, "usage: group-oscore-vectors FILE.json ...\n");
        return 2;
    }
    for (int i = 1; i < argc; i++) run_file(argv[i], &passed, &failed);
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 && passed > 0 ? 0 : 1;
}
