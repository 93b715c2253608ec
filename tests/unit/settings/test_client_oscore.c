/* OSCORE contexts of clients: what a file may hold, who may read it, and that no two clients share a Recipient ID. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "fake_text.h"
#include "settings/client_oscore.h"

static char folder[] = "/tmp/castgate-oscore-XXXXXX";
static char file[sizeof folder + 16];

static int make_folder(void **state) {
    (void)state;
    if (mkdtemp(folder) == NULL) return -1;
    snprintf(file, sizeof file, "%s/d.oscore.json", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    (void)unlink(file);
    return rmdir(folder);
}

/* With ' for ". */
static void write_file(const char *text, mode_t mode) {
    char bytes[2048];
    snprintf(bytes, sizeof bytes, "%s", text);
    for (char *at = bytes; *at != '\0'; at++)
        if (*at == '\'') *at = '"';
    (void)unlink(file);
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static const char *document_with(const char *more) {
    static char document[1024];
    snprintf(document, sizeof document, "{'clients':{'d':{'oscore':'%s'}%s}}", file, more);
    return document;
}

static void assert_mistake(const char *document, const char *pointer, const char *part) {
    struct cg_config *config;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    assert_int_equal(parse_quoted(document, &config, &mistakes), CG_E_FORMAT);
    assert_string_equal(mistakes.first->pointer, pointer);
    if (strstr(mistakes.first->message, part) == NULL) fail_msg("%s", mistakes.first->message);
    assert_null(strstr(mistakes.first->message, "0102"));
    cg_mistakes_fini(&mistakes);
}

#define SECRET "'master_secret':'0102030405060708090a0b0c0d0e0f10'"
#define IDS    "'sender_id':'01','recipient_id':''"

/* RFC 8613 Appendix C.1.2. */
static void a_file_makes_the_context_of_the_standard(void **state) {
    (void)state;
    write_file("{" SECRET ",'master_salt':'9e7ca92223786340'," IDS "}", 0600);
    const struct cg_config *config = settings_of(document_with(""));
    const struct cg_client *client = cg_config_client_by_oscore(config, CG_SLICE_NONE);
    assert_non_null(client);
    assert_string_equal(client->name, "d");
    const struct cg_client_oscore *keys = &client->oscore;
    assert_string_equal(keys->file, file);
    assert_int_equal(keys->alg_aead, CG_COSE_AES_CCM_16_64_128);
    assert_int_equal(keys->master_secret.len, 16);
    assert_int_equal(keys->master_salt.len, 8);
    assert_false(keys->has_id_context);
    struct cg_sender_id id;
    assert_int_equal(cg_client_oscore_sender_id(keys, &id), CG_OK);
    assert_null(cg_config_client_by_oscore(config, cg_slice_str("\x01")));
}

static void what_a_file_must_have(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
    } rows[] = {
        {"[]", "must be an object"},
        {"{" IDS "}", "needs \"master_secret\""},
        {"{" SECRET "}", "needs \"sender_id\""},
        {"{'master_secret':'0102'," IDS "}", "/master_secret: must be a string of 16 to 64 bytes in hexadecimal"},
        {"{" SECRET ",'sender_id':'01','recipient_id':'01'}", "the ID is the own Sender ID"},
        {"{" SECRET ",'sender_id':'0102030405060708','recipient_id':''}", "/sender_id: must be a string of 0 to 7"},
        {"{" SECRET "," IDS ",'alg_aead':-65534}", "/alg_aead: must be the COSE number of an AEAD"},
        {"{" SECRET "," IDS ",'hkdf':'md5'}", "/hkdf: must be \"sha256\" or \"sha512\""},
        {"{" SECRET "," IDS ",'colour':1}", "unknown key"},
        {"{'master_secret'", "d.oscore.json"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_file(rows[i].text, 0600);
        assert_mistake(document_with(""), "/clients/d/oscore", rows[i].part);
    }
}

static void others_may_not_read_it(void **state) {
    (void)state;
    write_file("{" SECRET "," IDS "}", 0640);
    assert_mistake(document_with(""), "/clients/d/oscore", "is open to its group or to others");
}

static void a_recipient_id_leads_to_one_client(void **state) {
    (void)state;
    char second[256];
    write_file("{" SECRET "," IDS "}", 0600);
    snprintf(second, sizeof second, ",'e':{'oscore':'%s'}", file);
    assert_mistake(document_with(second), "/clients/e/oscore", "is the same as that of /clients/d/oscore");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        settings_test(a_file_makes_the_context_of_the_standard),
        settings_test(what_a_file_must_have),
        settings_test(others_may_not_read_it),
        settings_test(a_recipient_id_leads_to_one_client),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
