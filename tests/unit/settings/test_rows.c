/* What comes from the table of settings besides reading and printing: defaults, the schema, what needs a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <jansson.h>

#include "fake_text.h"

#define TOKEN  "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define SCHEMA TEST_SOURCE_DIR "/../conf/castgate.schema.json"

static void the_defaults_are_those_of_the_interface(void **state) {
    (void)state;
    struct cg_config *config = cg_settings_defaults();
    assert_non_null(config);
    assert_int_equal(config->limits.exchanges, 1024);
    assert_int_equal(config->limits.exchanges_per_client, 16);
    assert_int_equal(config->limits.exchange_memory, 16 << 20);
    assert_int_equal(config->limits.total_memory, 256 << 20);
    assert_int_equal(config->limits.request_body, 64 << 10);
    assert_int_equal(config->limits.answer, 64 << 10);
    assert_int_equal(config->options.multicast_timeout, 2);
    assert_int_equal(config->options.reply_from, 248);
    assert_int_equal(config->options.group_etag, 24);
    assert_int_equal(config->options.uri_path_abbrev, 13);
    assert_int_equal(config->options.proxy_cri, 235);
    assert_int_equal(config->options.proxy_scheme_number, 239);
    assert_int_equal(config->coap.listen_count, 0);
    assert_int_equal(config->group.hops, 1);
    assert_int_equal(config->group.nstart, 1);
    assert_int_equal(config->group.ack_timeout_us, 2000000);
    assert_int_equal(config->group.receive_buffer, 4194304);
    assert_null(config->group.interface);
    assert_int_equal(config->http.listen_count, 0);
    assert_int_equal(config->mapping_count, 0);
    cg_config_unref(config);
}

static struct cg_buf schema_text(void) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_settings_schema(&text);
    assert_false(text.failed);
    return text;
}

static void the_schema_file_is_what_the_program_prints(void **state) {
    (void)state;
    struct cg_buf text = schema_text();
    FILE *file = fopen(SCHEMA, "r");
    assert_non_null(file);
    char *stored = calloc(1, text.len + 2);
    assert_non_null(stored);
    size_t len = fread(stored, 1, text.len + 1, file);
    fclose(file);
    if (len != text.len || memcmp(stored, text.data, len) != 0)
        fail_msg(
            "conf/castgate.schema.json is not what castgate --schema prints: make it anew, then run docs/man/settings");
    free(stored);
    cg_buf_fini(&text);
}

/* The property that a path of keys leads to; items stand for what a list or map holds. */
static const json_t *property(const json_t *schema, const char *path) {
    char keys[128], *rest = keys;
    snprintf(keys, sizeof keys, "%s", path);
    for (char *key = strsep(&rest, "/"); key != NULL; key = strsep(&rest, "/")) {
        if (strcmp(key, "*") == 0) {
            schema = json_object_get(schema, "items");
            const json_t *forms = json_object_get(schema, "oneOf");
            if (json_object_get(schema, "properties") == NULL && forms != NULL) schema = json_array_get(forms, 1);
        } else {
            schema = json_object_get(json_object_get(schema, "properties"), key);
        }
        if (schema == NULL) fail_msg("no property: %s", path);
    }
    return schema;
}

static void assert_says(const json_t *schema, const char *path, const char *word, const char *wanted) {
    const json_t *said = json_object_get(property(schema, path), word);
    char *text = said == NULL ? NULL : json_dumps(said, JSON_ENCODE_ANY);
    if (text == NULL || strcmp(text, wanted) != 0) fail_msg("%s: %s is %s", path, word, text == NULL ? "-" : text);
    free(text);
}

static void the_schema_says_all_of_a_row(void **state) {
    (void)state;
    static const struct {
        const char *path, *word, *wanted;
    } rows[] = {
        {"group/receive_buffer", "minimum", "4096"},
        {"group/receive_buffer", "maximum", "1073741824"},
        {"group/receive_buffer", "default", "4194304"},
        {"group/receive_buffer", "x-unit", "\"bytes\""},
        {"group/receive_buffer", "x-restart", "true"},
        {"group/prefixes", "maxItems", "256"},
        {"group/send_budgets", "maxItems", "16"},
        {"group/send_budgets/*/requests", "maximum", "10000"},
        {"security_groups", "maxProperties", "10000"},
        {"state", "default", "\"/var/lib/castgate\""},
        {"state", "x-file-only", "true"},
        {"http/listen", "x-file-only", "true"},
        {"http/listen/*/address", "x-restart", "true"},
        {"coap/listen", "default", "[{\"address\": \"coap://127.0.0.1:5683\", \"insecure\": false}]"},
        {"coap/listen/*/address", "x-restart", "true"},
        {"coap/all_nodes", "x-file-only", "true"},
        {"coap/options/proxy_cri", "default", "235"},
        {"mappings/*/aggregate", "default", "false"},
        {"http/tls", "type", "[\"object\", \"null\"]"},
        {"http/tls", "required", "[\"certificate\", \"key\"]"},
        {"plugins/load", "uniqueItems", "true"},
        {"mappings/*", "required", "[\"name\", \"security\"]"},
        {"mappings/*/timeout", "exclusiveMinimum", "0"},
        {"mappings/*/max_timeout", "default", "60"},
        {"mappings/*/members/*/name", "pattern", "\"^[a-z0-9][a-z0-9._-]{0,63}$\""},
        {"mappings/*/cache", "default", "false"},
    };
    struct cg_buf text = schema_text();
    json_error_t error;
    json_t *schema = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &error);
    if (schema == NULL) fail_msg("line %d: %s", error.line, error.text);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_says(schema, rows[i].path, rows[i].word, rows[i].wanted);
    assert_null(json_object_get(property(schema, "group/nstart"), "x-restart"));
    assert_null(json_object_get(property(schema, "group/nstart"), "x-file-only"));
    assert_null(json_object_get(property(schema, "mappings/*/timeout"), "default"));
    assert_null(json_object_get(property(schema, "clients"), "maxProperties"));
    json_decref(schema);
    cg_buf_fini(&text);
}

/* Whatever stands below "properties", at any depth, says for people what it is. `key` is where it stands. */
static void assert_described(const json_t *schema, const char *key) {
    const char *word;
    json_t *value;
    size_t index;
    json_array_foreach((json_t *)schema, index, value) assert_described(value, key);
    json_object_foreach((json_t *)schema, word, value) {
        bool holds_keys = strcmp(word, "properties") == 0;
        const char *inner;
        json_t *its;
        if (!holds_keys) assert_described(value, key);
        json_object_foreach(holds_keys ? value : NULL, inner, its) {
            if (json_string_length(json_object_get(its, "description")) == 0)
                fail_msg("%s below %s says nothing of itself", inner, key);
            assert_described(its, inner);
        }
    }
}

/* From there editors, the admin page and castgate.json(5) have it. */
static void every_key_says_what_it_is(void **state) {
    (void)state;
    struct cg_buf text = schema_text();
    json_error_t error;
    json_t *schema = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &error);
    assert_non_null(schema);
    assert_described(schema, "the file");
    json_decref(schema);
    cg_buf_fini(&text);
}

/* The pointers that a change from one document to the other warns of, each followed by a space. */
static void assert_restarts(const char *before, const char *after, const char *pointers) {
    const struct cg_config *old = settings_of(before), *fresh = settings_of(after);
    struct cg_mistakes warnings;
    char got[256] = "";
    cg_mistakes_init(&warnings);
    cg_settings_restarts(old, fresh, &warnings);
    for (const struct cg_mistake *it = warnings.first; it != NULL; it = it->next) {
        assert_string_equal(it->message, "changes take effect after a restart");
        strcat(strcat(got, it->pointer), " ");
    }
    assert_string_equal(got, pointers);
    cg_mistakes_fini(&warnings);
}

static void what_a_reload_cannot_change_is_named(void **state) {
    (void)state;
    static const struct {
        const char *before, *after, *pointers;
    } rows[] = {
        {"{}", "{}", ""},
        {"{}", "{'state':'/elsewhere'}", "/state "},
        {"{}", "{'sequence_rate':7,'require_clock':true}", "/sequence_rate /require_clock "},
        {"{}", "{'seal_key':'/etc/seal.key','history_days':7}", "/seal_key "},
        {"{}", "{'group':{'address':'192.0.2.1','port':7,'receive_buffer':8192}}",
         "/group/address /group/port /group/receive_buffer "},
        {"{}", "{'plugins':{'folder':'/p'}}", "/plugins/folder "},
        {"{'plugins':{'load':['a.so','b.so']}}", "{'plugins':{'load':['b.so','a.so']}}", "/plugins/load "},
        {"{'plugins':{'load':['a.so','b.so']}}", "{'plugins':{'load':['a.so']}}", "/plugins/load "},
        {"{'http':{'listen':[]}}", "{'http':{'listen':['127.0.0.1:8080']}}", "/http/listen "},
        {"{}", "{'admin':{'listen':['127.0.0.1:8090']}}", "/admin/listen "},
        {"{}", "{'http':{'listen':[{'address':'127.0.0.1:8080','insecure':true}]}}", ""},
        {"{}", "{'http':{'strict':true,'hosts':['h']},'group':{'nstart':9,'interface':'lo'},'limits':{'exchanges':1}}",
         ""},
        {"{}",
         "{'clients':{'c':{'token_sha256':'" TOKEN "'}},'mappings':[{'name':'m','group':'coap://224.0.1.187',"
         "'security':'none'}]}",
         ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_restarts(rows[i].before, rows[i].after, rows[i].pointers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        settings_test(the_defaults_are_those_of_the_interface),
        settings_test(the_schema_file_is_what_the_program_prints),
        settings_test(the_schema_says_all_of_a_row),
        settings_test(every_key_says_what_it_is),
        settings_test(what_a_reload_cannot_change_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
