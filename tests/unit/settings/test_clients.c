/* Clients: their role, several tokens and certificates of one, and stored tokens that are joined to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "fake_text.h"
#include "settings/passes.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static const struct cg_client *by_token(const struct cg_config *config, uint8_t byte, const struct cg_pass **pass) {
    uint8_t sha256[32];
    memset(sha256, byte, sizeof sha256);
    return cg_config_client_by_token(config, sha256, pass);
}

static void a_role_is_what_it_may(void **state) {
    (void)state;
    const struct cg_config *config = settings_of("{'clients':{'a':{'role':'viewer','token_sha256':'" A "'},"
                                                 "'b':{'role':'operator','token_sha256':'" B "'},"
                                                 "'c':{'role':'admin'},'d':{'token_sha256':'" C "'}}}");
    assert_int_equal(config->clients[0].role, CG_ROLE_VIEWER);
    assert_int_equal(config->clients[1].role, CG_ROLE_OPERATOR);
    assert_int_equal(config->clients[2].role, CG_ROLE_ADMIN);
    assert_int_equal(config->clients[3].role, CG_ROLE_NOBODY);
}

static void several_tokens_and_certificates_lead_to_one_client(void **state) {
    (void)state;
    const struct cg_config *config =
        settings_of("{'clients':{'a':{'token_sha256':['" A "','" B "'],'certificate_sha256':['" A "','" C "']},"
                    "'b':{'token_sha256':'" C "','certificate_sha256':['" B "']}}}");
    const struct cg_pass *pass;
    const struct cg_client *a = &config->clients[0], *b = &config->clients[1];
    assert_ptr_equal(by_token(config, 0xaa, &pass), a);
    assert_ptr_equal(pass, &a->tokens[0]);
    assert_ptr_equal(by_token(config, 0xbb, &pass), a);
    assert_ptr_equal(pass, &a->tokens[1]);
    assert_true(cg_pass_is_good(pass, INT64_MAX - 1));
    assert_null(pass->id);
    assert_ptr_equal(by_token(config, 0xcc, &pass), b);
    assert_ptr_equal(cg_config_client_by_certificate(config, a->certificates[1].sha256, &pass), a);
    assert_ptr_equal(cg_config_client_by_certificate(config, b->certificates[0].sha256, &pass), b);
}

static void they_are_printed_as_they_are_read(void **state) {
    (void)state;
    static const char *const lines[] = {"\"role\": \"operator\"", "\"token_sha256\": \"" A "\"",
                                        "\"certificate_sha256\": [\n        \"" B "\",\n        \"" C "\"\n      ]"};
    const struct cg_config *config = settings_of("{'clients':{'a':{'role':'operator','token_sha256':['" A "'],"
                                                 "'certificate_sha256':['" B "','" C "']}}}");
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_settings_print(&text, config);
    cg_buf_put_u8(&text, 0);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_non_null(strstr((const char *)text.data, lines[i]));
    struct cg_config *again = must_parse((const char *)text.data);
    assert_int_equal(again->clients[0].certificate_count, 2);
    assert_int_equal(again->clients[0].token_count, 1);
    assert_int_equal(again->clients[0].role, CG_ROLE_OPERATOR);
    cg_config_unref(again);
    cg_buf_fini(&text);
}

static void mistakes_say_where_they_are(void **state) {
    (void)state;
    static const struct {
        const char *document, *pointer, *message;
    } rows[] = {
        {"{'clients':{'a':{'role':'root'}}}", "/clients/a/role", "must be \"viewer\", \"operator\" or \"admin\""},
        {"{'clients':{'a':{'role':'nobody'}}}", "/clients/a/role", "must be \"viewer\""},
        {"{'clients':{'a':{'role':null}}}", "/clients/a/role", "must be"},
        {"{'clients':{'a':{'token_sha256':[]}}}", "/clients/a/token_sha256", "must be a hash or a list"},
        {"{'clients':{'a':{'token_sha256':['" A "','x']}}}", "/clients/a/token_sha256/1", "64 hexadecimal digits"},
        {"{'clients':{'a':{'token_sha256':['" A "','" A "']}}}", "/clients/a/token_sha256/1",
         "is the same as /clients/a/token_sha256/0"},
        {"{'clients':{'a':{'token_sha256':'" A "'},'b':{'token_sha256':['" B "','" A "']}}}",
         "/clients/b/token_sha256/1", "is the same as /clients/a/token_sha256"},
        {"{'clients':{'a':{'certificate_sha256':{}}}}", "/clients/a/certificate_sha256", "must be"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cg_config *config;
        struct cg_mistakes mistakes;
        cg_mistakes_init(&mistakes);
        assert_int_equal(parse_quoted(rows[i].document, &config, &mistakes), CG_E_FORMAT);
        assert_int_equal(mistakes.count, 1);
        assert_string_equal(mistakes.first->pointer, rows[i].pointer);
        assert_non_null(strstr(mistakes.first->message, rows[i].message));
        cg_mistakes_fini(&mistakes);
    }
}

static void no_client_has_more_than_it_may(void **state) {
    (void)state;
    struct cg_buf text;
    struct cg_config *config;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    cg_buf_init(&text, 0);
    cg_buf_put_str(&text, "{'clients':{'a':{'token_sha256':[");
    for (unsigned i = 0; i <= CG_PASSES_MAX; i++) cg_buf_printf(&text, "%s'%064x'", i == 0 ? "" : ",", i);
    cg_buf_put(&text, "]}}}", 5);
    assert_int_equal(parse_quoted((const char *)text.data, &config, &mistakes), CG_E_FORMAT);
    assert_string_equal(mistakes.first->pointer, "/clients/a/token_sha256");
    cg_mistakes_fini(&mistakes);
    cg_buf_fini(&text);
}

/* ---- Stored tokens ---- */

struct joined {
    struct cg_reader reader;
    struct cg_mistakes mistakes;
    struct cg_token_read tokens[CG_PASSES_MAX + 2];
    size_t count;
};

static void begin_join(struct joined *j, const char *document) {
    *j = (struct joined){0};
    cg_mistakes_init(&j->mistakes);
    j->reader = (struct cg_reader){.config = must_parse(document), .mistakes = &j->mistakes, .folder = "/"};
    cg_arena_init(&j->reader.scratch, SIZE_MAX, NULL);
}

static void end_join(struct joined *j) {
    cg_arena_fini(&j->reader.scratch);
    cg_mistakes_fini(&j->mistakes);
    cg_config_unref(j->reader.config);
}

/* `text` with " for '; the document is kept by the test. */
static bool read_token(struct joined *j, const char *id, json_t *document) {
    const struct cg_at document_at = {0}, tokens = {.up = &document_at, .key = "tokens"},
                       at = {.up = &tokens, .key = id};
    assert_non_null(document);
    return cg_token_read(&j->reader, &at, id, document, &j->tokens[j->count++]);
}

static json_t *token_of(const char *client, const char *sha256, const char *expires) {
    return json_pack("{s:s,s:s,s:s,s:s?}", "client", client, "sha256", sha256, "made", "2026-11-29T00:00:00Z",
                     "expires", expires);
}

static void stored_tokens_are_their_clients(void **state) {
    (void)state;
    struct joined j;
    begin_join(&j, "{'clients':{'a':{'token_sha256':'" A "'},'b':{'role':'admin'}}}");
    json_t *documents[] = {token_of("b", B, NULL), token_of("a", C, "2026-11-29T00:00:10Z"), token_of("gone", C, NULL),
                           token_of("b", A, NULL)};
    static const char *const ids[] = {"t1", "t2", "t3", "t4"};
    for (size_t i = 0; i < 4; i++) assert_true(read_token(&j, ids[i], documents[i]));
    cg_tokens_join(&j.reader, j.tokens, j.count);
    const struct cg_config *config = j.reader.config;
    const struct cg_pass *pass;
    assert_false(j.reader.out_of_memory);
    assert_ptr_equal(by_token(config, 0xaa, &pass), &config->clients[0]);
    assert_null(pass->id);
    assert_ptr_equal(by_token(config, 0xbb, &pass), &config->clients[1]);
    assert_string_equal(pass->id, "t1");
    assert_true(pass->expires_s == CG_PASS_FOR_EVER);
    assert_ptr_equal(by_token(config, 0xcc, &pass), &config->clients[0]);
    assert_int_equal(pass->expires_s, 1795910410);
    assert_null(j.tokens[0].why);
    assert_null(j.tokens[1].why);
    assert_string_equal(j.tokens[2].why, "its client is not there");
    assert_string_equal(j.tokens[3].why, "a client has the same token already");
    for (size_t i = 0; i < 4; i++) json_decref(documents[i]);
    end_join(&j);
}

static void stored_tokens_are_not_printed_with_their_client(void **state) {
    (void)state;
    struct joined j;
    struct cg_buf text;
    begin_join(&j, "{'clients':{'a':{'token_sha256':'" A "'}}}");
    json_t *document = token_of("a", B, NULL);
    assert_true(read_token(&j, "t", document));
    cg_tokens_join(&j.reader, j.tokens, j.count);
    cg_buf_init(&text, 0);
    cg_settings_print(&text, j.reader.config);
    cg_buf_put_u8(&text, 0);
    assert_non_null(strstr((const char *)text.data, "\"token_sha256\": \"" A "\""));
    assert_null(strstr((const char *)text.data, B));
    cg_buf_fini(&text);
    json_decref(document);
    end_join(&j);
}

static void one_token_too_many_is_left_out(void **state) {
    (void)state;
    struct joined j;
    json_t *documents[CG_PASSES_MAX];
    begin_join(&j, "{'clients':{'a':{'token_sha256':'" A "'}}}");
    for (unsigned i = 0; i < CG_PASSES_MAX; i++) {
        char hash[65];
        snprintf(hash, sizeof hash, "%064x", i);
        documents[i] = token_of("a", hash, NULL);
        assert_true(read_token(&j, "t", documents[i]));
    }
    cg_tokens_join(&j.reader, j.tokens, j.count);
    assert_int_equal(j.reader.config->clients[0].token_count, CG_PASSES_MAX);
    assert_null(j.tokens[CG_PASSES_MAX - 2].why);
    assert_string_equal(j.tokens[CG_PASSES_MAX - 1].why, "its client has as many tokens as may be");
    for (unsigned i = 0; i < CG_PASSES_MAX; i++) json_decref(documents[i]);
    end_join(&j);
}

static void the_same_stored_twice_is_one(void **state) {
    (void)state;
    struct joined j;
    begin_join(&j, "{'clients':{'a':{'token_sha256':'" A "'},'b':{'token_sha256':'" C "'}}}");
    json_t *documents[] = {token_of("a", B, NULL), token_of("b", B, NULL)};
    for (size_t i = 0; i < 2; i++) assert_true(read_token(&j, i == 0 ? "t1" : "t2", documents[i]));
    cg_tokens_join(&j.reader, j.tokens, j.count);
    const struct cg_pass *pass;
    assert_ptr_equal(by_token(j.reader.config, 0xbb, &pass), &j.reader.config->clients[0]);
    assert_string_equal(j.tokens[1].why, "a client has the same token already");
    for (size_t i = 0; i < 2; i++) json_decref(documents[i]);
    end_join(&j);
}

static void documents_that_are_no_token(void **state) {
    (void)state;
    static const struct {
        const char *text, *pointer, *message;
    } rows[] = {
        {"[]", "/tokens/t", "must be an object"},
        {"{'client':'a','made':'2026-11-29T00:00:00Z'}", "/tokens/t", "needs \"sha256\""},
        {"{'sha256':'" B "','made':'2026-11-29T00:00:00Z'}", "/tokens/t", "needs \"client\""},
        {"{'client':'a','sha256':'" B "'}", "/tokens/t", "needs \"made\""},
        {"{'client':'a','sha256':'" B "','made':'yesterday'}", "/tokens/t/made", "must be a date and time"},
        {"{'client':'a','sha256':'" B "','made':'2026-11-29T00:00:00Z','expires':7}", "/tokens/t/expires", "must be"},
        {"{'client':'a','sha256':'x','made':'2026-11-29T00:00:00Z'}", "/tokens/t/sha256", "64 hexadecimal digits"},
        {"{'client':'a','sha256':'" B "','made':'2026-11-29T00:00:00Z','x':1}", "/tokens/t/x", "unknown key"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct joined j;
        char text[512];
        begin_join(&j, "{'clients':{'a':{'token_sha256':'" A "'}}}");
        snprintf(text, sizeof text, "%s", rows[i].text);
        for (char *c = text; *c != '\0'; c++)
            if (*c == '\'') *c = '"';
        json_t *document = json_loads(text, 0, NULL);
        (void)read_token(&j, "t", document);
        assert_true(j.mistakes.count > 0);
        assert_string_equal(j.mistakes.first->pointer, rows[i].pointer);
        assert_non_null(strstr(j.mistakes.first->message, rows[i].message));
        json_decref(document);
        end_join(&j);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        settings_test(a_role_is_what_it_may),
        settings_test(several_tokens_and_certificates_lead_to_one_client),
        settings_test(they_are_printed_as_they_are_read),
        settings_test(mistakes_say_where_they_are),
        settings_test(no_client_has_more_than_it_may),
        settings_test(stored_tokens_are_their_clients),
        settings_test(stored_tokens_are_not_printed_with_their_client),
        settings_test(one_token_too_many_is_left_out),
        settings_test(the_same_stored_twice_is_one),
        settings_test(documents_that_are_no_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
