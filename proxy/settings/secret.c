/* Keys on their way from a file into the program. The hard thing: a JSON parser copies what it reads, and quotes it
 * when it complains. Its memory is therefore wiped as it is freed (json_text.h), and its complaints are replaced. */
#include "settings/secret.h"
#include "base/file.h"
#include "base/text.h"
#include "settings/json_text.h"
#include "settings/regular.h"

#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

int cg_secret_alloc(struct cg_secret_text *text, size_t len) {
    *text = (struct cg_secret_text){0};
    if (sodium_init() < 0) return CG_E_NO_MEMORY;   /* which takes a system without randomness */
    text->data = sodium_malloc(len == 0 ? 1 : len); /* works where locking memory is not allowed, too */
    if (text->data == NULL) return CG_E_NO_MEMORY;
    text->len = len;
    return CG_OK;
}

void cg_secret_free(struct cg_secret_text *text) {
    sodium_free(text->data); /* wipes */
    *text = (struct cg_secret_text){0};
}

static bool is_private(const struct stat *info) { return (info->st_mode & (S_IRWXG | S_IRWXO)) == 0; }

/* Of systemd's: in a folder that it has made for this service. Some of its versions give it to the service's user by an
 * access list, and that shows as a right of the group. */
static bool is_credential(const char *file) {
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    size_t len = folder == NULL ? 0 : strlen(folder);
    return len > 0 && strncmp(file, folder, len) == 0 && file[len] == '/' && strchr(file + len + 1, '/') == NULL;
}

int cg_secret_read(struct cg_secret_text *text, const char *file, bool may_be_shared, struct cg_mistakes *mistakes) {
    struct stat info;
    int err = CG_E_FORMAT, why = 0;
    *text = (struct cg_secret_text){0};
    int fd = cg_regular_open(file, &info, mistakes);
    if (fd < 0) return err;
    if (!may_be_shared && !is_private(&info) && !is_credential(file)) {
        cg_mistakes_add(mistakes, "",
                        "holds keys, but is open to its group or to others; chmod 600 it, or set "
                        "\"key_files_may_be_shared\": true");
        goto out;
    }
    err = cg_secret_alloc(text, (size_t)info.st_size);
    /* A file that shrinks meanwhile makes the text shorter. */
    if (err == CG_OK) why = cg_file_read(fd, text->data, text->len, &text->len);
    if (why != 0) {
        cg_mistakes_add(mistakes, "", "cannot be read: %s", strerror(why));
        err = CG_E_FORMAT;
    }
out:
    close(fd);
    if (err != CG_OK) cg_secret_free(text);
    return err;
}

void cg_secret_json_wipes(void) { cg_json_watch_memory(); }

static const char *complaint(enum json_error_code code) {
    switch (code) {
    case json_error_stack_overflow: return "arrays and objects are nested too deep";
    case json_error_duplicate_key: return "the same key twice in one object";
    case json_error_invalid_utf8: return "not UTF-8";
    case json_error_premature_end_of_input: return "the text ends too early";
    case json_error_end_of_input_expected: return "something follows the end of the JSON text";
    case json_error_null_character:
    case json_error_null_byte_in_key: return "a string with a zero character in it";
    case json_error_numeric_overflow: return "a number that is too large";
    default: return "not JSON";
    }
}

json_t *cg_secret_json(struct cg_slice text, struct cg_mistakes *mistakes) {
    json_error_t error;
    bool is_short;
    json_t *json = cg_json_read(cg_utf8_without_mark(text), &error, &is_short);
    if (json == NULL && !is_short)
        cg_mistakes_add(mistakes, "", "line %d, column %d: %s", error.line, error.column,
                        complaint(json_error_code(&error)));
    sodium_memzero(&error, sizeof error); /* it quotes what it did not like */
    return json;
}

int cg_secret_print(struct cg_secret_text *text, const json_t *json) {
    enum { FLAGS = JSON_INDENT(1) | JSON_PRESERVE_ORDER };
    size_t len = json_dumpb(json, NULL, 0, FLAGS);
    if (len == 0) return CG_E_NO_MEMORY;
    int err = cg_secret_alloc(text, len + 1);
    if (err != CG_OK) return err;
    if (json_dumpb(json, (char *)text->data, len, FLAGS) != len) {
        cg_secret_free(text);
        return CG_E_NO_MEMORY;
    }
    text->data[len] = '\n';
    return CG_OK;
}

/* Pre-shared keys. */

static bool is_text(struct cg_slice bytes) {
    size_t good = 0;
    while (good < bytes.len && bytes.data[good] >= ' ' && bytes.data[good] < 0x7f) good++;
    return good == bytes.len;
}

/* Without the line break that editors put at the end of a text; it may be part of a key that is none. */
static struct cg_slice without_line_break(struct cg_slice bytes) {
    struct cg_slice text = bytes;
    if (text.len > 0 && text.data[text.len - 1] == '\n') text.len--;
    if (text.len > 0 && text.len < bytes.len && text.data[text.len - 1] == '\r') text.len--;
    return is_text(text) ? text : bytes;
}

size_t cg_secret_take_psk(struct cg_slice content, uint8_t key[CG_PSK_MAX]) {
    struct cg_slice bytes = without_line_break(content);
    size_t len;
    bool is_hex = bytes.len >= (size_t)2 * CG_PSK_MIN && cg_hex_parse(bytes, key, CG_PSK_MAX, &len) == CG_OK;
    if (is_hex) return len;
    if (bytes.len <= CG_PSK_MAX && bytes.len > 0) memcpy(key, bytes.data, bytes.len);
    return bytes.len;
}
