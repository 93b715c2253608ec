/* Sealing. The hard thing is to leave no copy of the key, nor of what was opened with it, where nobody wipes it. What
 * is sealed is a byte for the version, the nonce, the ciphertext, the tag. Nonces are random: 96 bits are enough for
 * more changes of keys than a gateway sees (2^32 under one key; NIST SP 800-38D §8.3). */
#include "store/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/file.h"
#include "base/text.h"
#include "settings/secret.h"
#include "store/draft.h"
#include "store/folder.h"

enum { VERSION = 1, NONCE_LEN = 12, TAG_LEN = 16, BEFORE = 1 + NONCE_LEN, AROUND = BEFORE + TAG_LEN };

struct cg_seal {
    struct cg_secret_text key;
};

/* ---- The key ---- */

static size_t length_without_line_end(struct cg_slice text) {
    size_t len = text.len;
    while (len > 0 && (text.data[len - 1] == '\n' || text.data[len - 1] == '\r')) len--;
    return len;
}

/* 32 bytes are the key, whatever they look like. */
static bool take_key(struct cg_slice text, struct cg_secret_text *key) {
    size_t len = 0;
    if (cg_secret_alloc(key, CG_SEAL_KEY_LEN) != CG_OK) return false;
    if (text.len == CG_SEAL_KEY_LEN) {
        memcpy(key->data, text.data, CG_SEAL_KEY_LEN);
        return true;
    }
    const struct cg_slice hex = cg_slice_of(text.data, length_without_line_end(text));
    return cg_hex_parse(hex, key->data, CG_SEAL_KEY_LEN, &len) == CG_OK && len == CG_SEAL_KEY_LEN;
}

static int refuse_file(const char *file, const char *why, struct cg_problem *problem) {
    return cg_problem_set(problem, CG_E_STORE, "the key of sealed secrets, %s: %s", file, why);
}

static int read_key(const char *file, bool may_be_shared, struct cg_secret_text *key, struct cg_problem *problem) {
    struct cg_secret_text text;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    int err = cg_secret_read(&text, file, may_be_shared, &mistakes);
    if (err == CG_E_NO_MEMORY)
        cg_problem_no_memory(problem);
    else if (err != CG_OK)
        err = refuse_file(file, mistakes.first == NULL ? "cannot be read" : mistakes.first->message, problem);
    else if (!take_key(cg_secret_slice(&text), key))
        err = refuse_file(file, "is no such key: 32 bytes, or 64 hexadecimal digits", problem);
    cg_secret_free(&text);
    cg_mistakes_fini(&mistakes);
    return err;
}

static int say_none(struct cg_problem *problem) {
    return cg_problem_set(
        problem, CG_E_NOT_FOUND,
        "there is no key to seal secrets with: name a file outside the state folder by \"seal_key\" in "
        "the settings file (castgate --init-state makes it), or give the systemd credential " CG_SEAL_CREDENTIAL);
}

/* malloc'd; NULL: there is none. */
static char *find_credential(void) {
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    char *file = folder == NULL ? NULL : cg_folder_file(folder, CG_SEAL_CREDENTIAL);
    if (file != NULL && access(file, F_OK) == 0) return file;
    free(file);
    return NULL;
}

static int open_key(const char *file, bool may_be_shared, struct cg_secret_text *key, struct cg_problem *problem) {
    if (file != NULL) return read_key(file, may_be_shared, key, problem);
    char *credential = find_credential();
    if (credential == NULL) return say_none(problem);
    const int err = read_key(credential, true, key, problem);
    free(credential);
    return err;
}

int cg_seal_open(const char *file, bool may_be_shared, struct cg_seal **seal, struct cg_problem *problem) {
    *seal = calloc(1, sizeof **seal);
    if (*seal == NULL) return cg_problem_no_memory(problem);
    const int err = open_key(file, may_be_shared, &(*seal)->key, problem);
    if (err == CG_OK) return CG_OK;
    cg_seal_free(*seal);
    *seal = NULL;
    return err;
}

void cg_seal_free(struct cg_seal *seal) {
    if (seal == NULL) return;
    cg_secret_free(&seal->key);
    free(seal);
}

/* ---- A new one ---- */

/* In hex, which survives editors and terminals. */
static int write_key(const char *draft, struct cg_problem *problem) {
    uint8_t key[CG_SEAL_KEY_LEN];
    struct cg_buf text;
    cg_buf_init(&text, 0);
    CG_CHECK(RAND_bytes(key, sizeof key) == 1); /* else nothing here may go on */
    cg_buf_reserve(&text, 2 * sizeof key + 1);
    cg_buf_put_hex(&text, cg_slice_of(key, sizeof key));
    cg_buf_put_u8(&text, '\n');
    OPENSSL_cleanse(key, sizeof key);
    int err = cg_buf_error(&text) == CG_OK ? CG_OK : cg_problem_no_memory(problem);
    const int fd = err == CG_OK ? open(draft, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (err == CG_OK && (fd < 0 || (errno = cg_file_write(fd, cg_buf_slice(&text))) != 0))
        err = cg_draft_cannot("cannot write", draft, problem);
    if (fd >= 0) close(fd);
    if (text.data != NULL) OPENSSL_cleanse(text.data, text.cap);
    cg_buf_fini(&text);
    return err;
}

int cg_seal_make(const char *file, struct cg_problem *problem) {
    char *draft = cg_draft_make(file, problem);
    if (draft == NULL) return problem->err;
    int err = write_key(draft, problem);
    if (err == CG_OK) err = cg_draft_publish(draft, file, problem);
    cg_draft_drop(draft);
    return err;
}

/* ---- Sealing and opening ---- */

static EVP_CIPHER_CTX *begin(const struct cg_seal *seal, const uint8_t *nonce, struct cg_slice about, int encrypts) {
    int done;
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    const bool begun = cipher != NULL && about.len <= INT_MAX &&
                       EVP_CipherInit_ex(cipher, EVP_aes_256_gcm(), NULL, seal->key.data, nonce, encrypts) > 0 &&
                       EVP_CipherUpdate(cipher, NULL, &done, about.data, (int)about.len) > 0;
    if (begun) return cipher;
    EVP_CIPHER_CTX_free(cipher);
    ERR_clear_error();
    return NULL;
}

/* With what was given right, only memory can be wanting. */
static int encrypt(EVP_CIPHER_CTX *cipher, struct cg_slice secret, uint8_t *to) {
    int done, end;
    const bool sealed = EVP_CipherUpdate(cipher, to, &done, secret.data, (int)secret.len) > 0 &&
                        EVP_CipherFinal_ex(cipher, to + done, &end) > 0 &&
                        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, to + secret.len) > 0;
    ERR_clear_error();
    return sealed ? CG_OK : CG_E_NO_MEMORY;
}

int cg_seal_close(const struct cg_seal *seal, struct cg_slice about, struct cg_slice secret, struct cg_buf *sealed) {
    if (secret.len > INT_MAX - AROUND) return CG_E_TOO_BIG;
    uint8_t *to = cg_buf_reserve(sealed, secret.len + AROUND);
    if (to == NULL) return CG_E_NO_MEMORY;
    to[0] = VERSION;
    CG_CHECK(RAND_bytes(to + 1, NONCE_LEN) == 1);
    EVP_CIPHER_CTX *cipher = begin(seal, to + 1, about, 1);
    const int err = cipher == NULL ? CG_E_NO_MEMORY : encrypt(cipher, secret, to + BEFORE);
    EVP_CIPHER_CTX_free(cipher);
    if (err == CG_OK) sealed->len += secret.len + AROUND;
    return err;
}

static int decrypt(EVP_CIPHER_CTX *cipher, struct cg_slice text, uint8_t *to) {
    int done, end;
    void *tag = (void *)(uintptr_t)(text.data + text.len); /* read only, whatever the prototype says */
    const bool opened = EVP_CipherUpdate(cipher, to, &done, text.data, (int)text.len) > 0 &&
                        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) > 0 &&
                        EVP_CipherFinal_ex(cipher, to + done, &end) > 0;
    ERR_clear_error();
    if (opened) return CG_OK;
    OPENSSL_cleanse(to, text.len);
    return CG_E_KEY_REFUSED;
}

int cg_seal_open_sealed(const struct cg_seal *seal, struct cg_slice about, struct cg_slice sealed,
                        struct cg_buf *secret) {
    if (sealed.len < AROUND || sealed.len > INT_MAX || sealed.data[0] != VERSION) return CG_E_KEY_REFUSED;
    const struct cg_slice text = cg_slice_of(sealed.data + BEFORE, sealed.len - AROUND);
    uint8_t *to = cg_buf_reserve(secret, text.len + 1);
    EVP_CIPHER_CTX *cipher = to == NULL ? NULL : begin(seal, sealed.data + 1, about, 0);
    if (cipher == NULL) return CG_E_NO_MEMORY;
    const int err = decrypt(cipher, text, to);
    EVP_CIPHER_CTX_free(cipher);
    if (err == CG_OK) secret->len += text.len;
    return err;
}
