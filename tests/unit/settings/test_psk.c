/* Pre-shared keys of clients: what a key file may hold, who may read it, and that no two clients share an identity. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "fake_text.h"

static char folder[] = "/tmp/castgate-psk-XXXXXX";
static char file[sizeof folder + 8];

static int make_folder(void **state) {
    (void)state;
    if (mkdtemp(folder) == NULL) return -1;
    snprintf(file, sizeof file, "%s/d.key", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    (void)unlink(file);
    return rmdir(folder);
}

static void write_key(const void *bytes, size_t len, mode_t mode) {
    (void)unlink(file);
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

/* A document with the client "d", identity "lamp hall", that key file and, before it, `more`. */
static const char *document_with(const char *more) {
    static char document[1024];
    snprintf(document, sizeof document, "{%s'clients':{'d':{'psk':{'identity':'lamp hall','key_file':'%s'}}}}", more,
             file);
    return document;
}

static const struct cg_psk *psk_of(const struct cg_config *config) {
    const struct cg_client *client = cg_config_client_by_psk(config, cg_slice_str("lamp hall"));
    assert_ptr_equal(client, &config->clients[0]);
    return &client->psk;
}

#define RAW16 "sixteen raw byte"
#define RAW64 RAW16 RAW16 RAW16 RAW16

static void a_key_is_hexadecimal_or_as_it_is(void **state) {
    (void)state;
    static const struct {
        const char *content, *key;
        size_t content_len, len;
    } rows[] = {
#define ROW(content, key) {content, key, sizeof(content) - 1, sizeof(key) - 1}
        ROW("30313233343536373839616263646546", "0123456789abcdeF"),
        ROW("30313233343536373839616263646546\n", "0123456789abcdeF"),
        ROW("30313233343536373839616263646546\r\n", "0123456789abcdeF"),
        ROW("30313233343536373839616263646546\n\n", "30313233343536373839616263646546\n\n"),
        ROW("3031323334353637383961626364654", "3031323334353637383961626364654"), /* an odd number of digits */
        ROW("0123456789abcdef", "0123456789abcdef"),                               /* too few to be a key's */
        ROW(RAW16, RAW16),
        ROW(RAW16 "\n", RAW16),
        ROW(RAW64, RAW64),
        ROW(RAW64 "\r\n", RAW64),
        ROW("\x01 a binary line\n", "\x01 a binary line\n"), /* all of it is the key */
        ROW("a zero \0 in the key", "a zero \0 in the key"),
#undef ROW
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_key(rows[i].content, rows[i].content_len, 0600);
        const struct cg_psk *psk = psk_of(settings_of(document_with("")));
        assert_int_equal(psk->key.len, rows[i].len);
        assert_memory_equal(psk->key.data, rows[i].key, rows[i].len);
        assert_string_equal(psk->key_file, file);
    }
}

static void assert_mistake(const char *document, const char *pointer, const char *message) {
    struct cg_config *config;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    assert_int_equal(parse_quoted(document, &config, &mistakes), CG_E_FORMAT);
    assert_int_equal(mistakes.count, 1);
    assert_string_equal(mistakes.first->pointer, pointer);
    if (strstr(mistakes.first->message, message) == NULL) fail_msg("%s", mistakes.first->message);
    assert_null(strstr(mistakes.first->message, "fifteen"));
    cg_mistakes_fini(&mistakes);
}

static void keys_too_short_or_too_long_are_refused_and_not_quoted(void **state) {
    (void)state;
    write_key("fifteen bytes..\n", 16, 0600);
    assert_mistake(document_with(""), "/clients/d/psk/key_file", "16 to 64 bytes, and this is 15");
    write_key("", 0, 0600);
    assert_mistake(document_with(""), "/clients/d/psk/key_file", "16 to 64 bytes, and this is 0");
    write_key(RAW64 "x", 65, 0600);
    assert_mistake(document_with(""), "/clients/d/psk/key_file", "16 to 64 bytes, and this is 65");
}

static void a_key_file_belongs_to_one_user(void **state) {
    (void)state;
    write_key(RAW16, 16, 0640);
    assert_mistake(document_with(""), "/clients/d/psk/key_file", "is open to its group or to others");
    assert_int_equal(psk_of(settings_of(document_with("'key_files_may_be_shared':true,")))->key.len, 16);
    assert_int_equal(unlink(file), 0);
    assert_mistake(document_with(""), "/clients/d/psk/key_file", "cannot be read: No such file");
}

static void what_a_psk_must_have(void **state) {
    (void)state;
    char document[1024], identity[130] = "";
    write_key(RAW16, 16, 0600);
    memset(identity, 'i', 129);
#define WITH(...) snprintf(document, sizeof document, __VA_ARGS__)
    WITH("{'clients':{'d':{'psk':{'key_file':'%s'}}}}", file);
    assert_mistake(document, "/clients/d/psk", "needs \"identity\"");
    WITH("{'clients':{'d':{'psk':{'identity':'d'}}}}");
    assert_mistake(document, "/clients/d/psk", "needs \"key_file\"");
    WITH("{'clients':{'d':{'psk':{'identity':'','key_file':'%s'}}}}", file);
    assert_mistake(document, "/clients/d/psk/identity", "must be 1 to 128 bytes");
    WITH("{'clients':{'d':{'psk':{'identity':'%s','key_file':'%s'}}}}", identity, file);
    assert_mistake(document, "/clients/d/psk/identity", "must be 1 to 128 bytes");
    WITH("{'clients':{'d':{'psk':{'identity':'d','key_file':'%s','key':'x'}}}}", file);
    assert_mistake(document, "/clients/d/psk/key", "unknown key");
    WITH("{'clients':{'d':{'psk':{'identity':'d','key_file':'%s'}},'e':{'psk':{'identity':'d','key_file':'%s'}}}}",
         file, file);
    assert_mistake(document, "/clients/e/psk/identity", "is the same as /clients/d/psk/identity");
#undef WITH
}

/* A key alone is a way of being known, and enough for a coaps listener to prove itself by. */
static void a_key_is_proof_enough(void **state) {
    (void)state;
    write_key(RAW16, 16, 0600);
    const struct cg_config *config = settings_of(document_with("'coap':{'listen':['coaps://192.0.2.1']},"));
    assert_int_equal(psk_of(config)->key.len, 16);
    assert_null(cg_config_client_by_psk(config, cg_slice_str("lamp")));
    assert_null(cg_config_client_by_psk(config, cg_slice_str("lamp hall ")));
    assert_null(cg_config_client_by_psk(config, CG_SLICE_NONE));
    assert_null(cg_config_client_by_psk(settings_of("{}"), cg_slice_str("lamp hall")));
}

static void the_key_is_never_printed(void **state) {
    (void)state;
    struct cg_buf text;
    write_key(RAW16, 16, 0600);
    cg_buf_init(&text, 0);
    cg_settings_print(&text, settings_of(document_with("")));
    cg_buf_put_u8(&text, 0);
    const char *printed = (const char *)text.data;
    assert_non_null(strstr(printed, "\"identity\": \"lamp hall\""));
    assert_non_null(strstr(printed, file));
    assert_null(strstr(printed, RAW16));
    cg_buf_fini(&text);
}

static void a_key_without_a_coaps_listener_is_warned_of(void **state) {
    (void)state;
    struct cg_mistakes warnings;
    write_key(RAW16, 16, 0600);
    cg_mistakes_init(&warnings);
    cg_settings_warnings(settings_of(document_with("'coap':{'listen':['coaps://127.0.0.1']},")), &warnings);
    assert_int_equal(warnings.count, 0);
    cg_settings_warnings(settings_of(document_with("")), &warnings);
    assert_int_equal(warnings.count, 1);
    assert_string_equal(warnings.first->pointer, "/clients/d/psk");
    assert_non_null(strstr(warnings.first->message, "no listener in coap.listen"));
    cg_mistakes_fini(&warnings);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        settings_test(a_key_is_hexadecimal_or_as_it_is),
        settings_test(keys_too_short_or_too_long_are_refused_and_not_quoted),
        settings_test(a_key_file_belongs_to_one_user),
        settings_test(what_a_psk_must_have),
        settings_test(a_key_is_proof_enough),
        settings_test(the_key_is_never_printed),
        settings_test(a_key_without_a_coaps_listener_is_warned_of),
    };
    return cmocka_run_group_tests_name("settings/psk", tests, make_folder, remove_folder);
}
