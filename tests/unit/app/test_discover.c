/* What was found, as JSON, as a table and as settings: from a result made by hand, with what strangers may put into it.
 */
#include "fronts/admin/found_document.h"
#include "app/discover/paste.h"
#include "app/discover/shown.h"
#include "app/discover/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "settings/settings.h"

/* ---- A result ---- */

enum { GROUP_PORT = 5683 };

static struct cg_addr addr(const char *text) {
    struct cg_addr parsed;
    assert_int_equal(cg_addr_parse(&parsed, cg_slice_str(text), GROUP_PORT), CG_OK);
    return parsed;
}

#define GROUP "coap://224.0.1.187"

static struct cg_found_node node_at(const char *at, const char *links) {
    return (struct cg_found_node){.group = GROUP, .at = addr(at), .code = CG_CODE(2, 5), .links = cg_slice_str(links)};
}

static void chain_nodes(struct cg_found *found, struct cg_found_node *nodes, size_t count) {
    for (size_t i = 0; i + 1 < count; i++) nodes[i].next = &nodes[i + 1];
    found->nodes = count > 0 ? nodes : NULL;
    found->node_count = found->answered = (uint32_t)count;
    if (found->ended_by == NULL) found->ended_by = "deadline";
}

static json_t *document_of(const struct cg_found *found) {
    struct cg_found_writer writer;
    struct cg_buf text;
    json_error_t error;
    cg_buf_init(&text, 0);
    cg_buf_put_u8(&text, '{');
    cg_found_writer_init(&writer, found);
    while (cg_found_writer_put(&writer, &text)) continue;
    assert_false(cg_found_writer_put(&writer, &text)); /* and stays so */
    cg_buf_put_u8(&text, '}');
    json_t *document = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (document == NULL) fail_msg("%s: %.*s", error.text, (int)text.len, (const char *)text.data);
    cg_buf_fini(&text);
    return document;
}

static void assert_json(const json_t *value, const char *expected) {
    json_t *wanted = json_loads(expected, JSON_DECODE_ANY, NULL);
    char *shown = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    assert_non_null(wanted);
    if (!json_equal(value, wanted)) fail_msg("%s", shown == NULL ? "nothing" : shown);
    free(shown);
    json_decref(wanted);
}

/* The text, which the caller frees. */
static char *table_of(const struct cg_found *found) {
    json_t *document = document_of(found);
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_discover_table(&text, document);
    cg_buf_put_u8(&text, '\0');
    assert_false(text.failed);
    json_decref(document);
    return (char *)text.data;
}

static void assert_tells(const char *text, const char *what) {
    if (strstr(text, what) == NULL) fail_msg("no \"%s\" in:\n%s", what, text);
}

static void assert_silent_of(const char *text, const char *what) {
    if (strstr(text, what) != NULL) fail_msg("\"%s\" in:\n%s", what, text);
}

/* ---- As JSON ---- */

static void all_of_it_as_json(void **state) {
    struct cg_found found = {.cut = 1, .silent = 1, .left_out = 3, .directory_count = 1, .ended_by = "limit"};
    struct cg_mapping mapping = {.name = "lamps"};
    (void)state;
    struct cg_found_node nodes[] = {
        node_at("127.0.0.1:5683", "</light>;rt=light;if=\"a b\""),
        node_at("127.0.0.2:5683", "</a>,</b>;rt=\"cut"),
        {.group = GROUP, .mapping = &mapping, .member = "lamp-3", .state = CG_FOUND_SILENT}};
    nodes[0].mapping = &mapping;
    nodes[0].member = "lamp-1";
    nodes[0].is_verified = nodes[0].has_kid = true;
    nodes[0].kid = cg_slice_of("\x01\xff", 2);
    nodes[1].state = CG_FOUND_CUT;
    chain_nodes(&found, nodes, 3);
    struct cg_found_directory directory = {
        .uri = cg_slice_str("coap://127.0.0.9/rd-lookup/ep"), .told_by = addr("127.0.0.9"), .imported = 2};
    struct cg_found_entry entry = {.name = cg_slice_str("gp1"),
                                   .base = cg_slice_str("coap://239.0.0.1"),
                                   .type = cg_slice_str("core.rd-group"),
                                   .directory = &directory,
                                   .is_group = true};
    struct cg_found_security_group pending = {.name = cg_slice_str("sec1"),
                                              .join = cg_slice_str("coaps://gm.example/ace-group/sec1"),
                                              .told_by = addr("127.0.0.9"),
                                              .attributes = cg_slice_str(";rt=core.osc.gm;hkdf=5;sec-gp=sec1")};
    struct cg_found_gap gap = {.what = cg_slice_str("coap://239.0.0.7"), .why = "was not asked", .count = 1};
    found.directories = &directory;
    found.entries = &entry;
    found.security_groups = &pending;
    found.gaps = &gap;
    json_t *document = document_of(&found);
    assert_json(json_object_get(document, "nodes"),
                "[{\"group\":\"" GROUP "\",\"mapping\":\"lamps\",\"member\":\"lamp-1\",\"from\":\"127.0.0.1:5683\","
                "\"kid\":\"01ff\",\"verified\":\"source\",\"state\":\"whole\",\"code\":\"2.05\",\"links\":[{\"target\":"
                "\"/light\",\"rt\":[\"light\"],\"if\":[\"a\",\"b\"]}]},"
                "{\"group\":\"" GROUP "\",\"mapping\":null,\"member\":null,\"from\":\"127.0.0.2:5683\",\"kid\":null,"
                "\"verified\":\"none\",\"state\":\"cut\",\"code\":\"2.05\",\"links\":[{\"target\":\"/a\"}]},"
                "{\"group\":\"" GROUP "\",\"mapping\":\"lamps\",\"member\":\"lamp-3\",\"from\":null,\"kid\":null,"
                "\"verified\":\"none\",\"state\":\"silent\",\"code\":null,\"links\":[]}]");
    assert_json(json_object_get(document, "directories"),
                "[{\"uri\":\"coap://127.0.0.9/rd-lookup/ep\",\"told_by\":\"127.0.0.9:5683\",\"may_be_fetched\":false,"
                "\"state\":\"whole\",\"code\":null,\"imported\":2}]");
    assert_json(json_object_get(document, "entries"),
                "[{\"name\":\"gp1\",\"base\":\"coap://239.0.0.1\",\"type\":\"core.rd-group\",\"sector\":null,"
                "\"directory\":\"coap://127.0.0.9/rd-lookup/ep\",\"is_group\":true,\"may_be_fetched\":false}]");
    assert_json(json_object_get(document, "security_groups"),
                "[{\"name\":\"sec1\",\"application\":null,\"join\":\"coaps://gm.example/ace-group/sec1\",\"told_by\":"
                "\"127.0.0.9:5683\",\"attributes\":{\"rt\":[\"core.osc.gm\"],\"hkdf\":\"5\",\"sec-gp\":\"sec1\"}}]");
    assert_json(json_object_get(document, "left_out"),
                "[{\"what\":\"coap://239.0.0.7\",\"why\":\"was not asked\",\"count\":1}]");
    assert_json(json_object_get(document, "summary"),
                "{\"nodes\":3,\"answered\":3,\"cut\":1,\"silent\":1,\"directories\":1,\"entries\":0,"
                "\"security_groups\":0,\"left_out\":3,\"ended_by\":\"limit\",\"problem\":null}");
    json_decref(document);
}

static void nothing_was_found(void **state) {
    struct cg_found found = {.ended_by = "all"};
    (void)state;
    cg_problem_set(&found.problem, CG_E_PROTECT, "the key may not send");
    char *text = table_of(&found);
    assert_string_equal(text, "\n0 answered; ended by all\nnot all was asked: the key may not send\n");
    free(text);
}

/* ---- As a table ---- */

static void a_table(void **state) {
    struct cg_found found = {.cut = 1};
    (void)state;
    struct cg_found_node nodes[] = {
        node_at("127.0.0.1:5683", "</light>;rt=\"light dimmer\";if=core.a;title=\"Hall\",</status>"),
        node_at("127.0.0.2:5683", "</light>;rt=\"light dimmer\";if=core.a;title=\"Hall\",</status>"),
        node_at("127.0.0.3:5683", "</x>"),
        node_at("127.0.0.4:5683", ""),
        {.group = "coap://239.0.0.1", .at = addr("127.0.0.5"), .state = CG_FOUND_REFUSED, .code = CG_CODE(4, 4)},
    };
    nodes[2].state = CG_FOUND_CUT;
    nodes[2].is_verified = true;
    chain_nodes(&found, nodes, 5);
    char *text = table_of(&found);
    assert_string_equal(
        text, "\n"
              "group coap://224.0.1.187, which no mapping has\n"
              "node                   member        verified  link                      type                interface  "
              "   title\n"
              "127.0.0.1:5683         -             no        /light                    light dimmer        core.a     "
              "   Hall\n"
              "                                               /status\n"
              "127.0.0.2:5683         -             no        the same as 127.0.0.1:5683\n"
              "127.0.0.3:5683         -             yes       /x\n"
              "                                               (the list goes on, and was not followed to its end)\n"
              "127.0.0.4:5683         -             no        (no links)\n"
              "\n"
              "group coap://239.0.0.1, which no mapping has\n"
              "node                   member        verified  link                      type                interface  "
              "   title\n"
              "127.0.0.5:5683         -             no        4.04 instead of a list\n"
              "\n"
              "5 answered, 1 of them not to the end; ended by deadline\n");
    free(text);
}

static void what_else_there_is(void **state) {
    struct cg_found found = {.silent = 1, .left_out = 12};
    (void)state;
    struct cg_found_node node = {.group = GROUP, .member = "lamp-9", .state = CG_FOUND_SILENT};
    chain_nodes(&found, &node, 1);
    struct cg_found_directory outside = {.uri = cg_slice_str("coap://198.51.100.9/rd-lookup/ep"),
                                         .state = CG_FOUND_UNASKED},
                              directory = {.uri = cg_slice_str("coap://127.0.0.9/rd-lookup/ep"),
                                           .next = &outside,
                                           .may_be_fetched = true,
                                           .imported = 1};
    struct cg_found_entry entry = {.name = cg_slice_str("gp1"),
                                   .base = cg_slice_str("coap://239.0.0.1"),
                                   .type = cg_slice_str("core.rd-group"),
                                   .sector = cg_slice_str("floor 3"),
                                   .directory = &directory,
                                   .is_group = true};
    struct cg_found_security_group pending = {.name = cg_slice_str("sec1"),
                                              .application = cg_slice_str("gp1"),
                                              .join = cg_slice_str("coaps://gm.example/ace-group/sec1"),
                                              .told_by = addr("127.0.0.9"),
                                              .attributes = cg_slice_str(";rt=core.osc.gm;hkdf=5;gp_enc_alg=10")};
    struct cg_found_gap more = {.why = "did not fit", .count = 11}, gap = {.next = &more,
                                                                           .what = cg_slice_str("coap://239.0.0.7"),
                                                                           .why = "was not asked",
                                                                           .count = 1};
    found.directories = &directory;
    found.entries = &entry;
    found.security_groups = &pending;
    found.gaps = &gap;
    char *text = table_of(&found);
    assert_tells(text, "-                      lamp-9        silent\n");
    assert_tells(text, "coap://127.0.0.9/rd-lookup/ep                     read, 1 entries\n");
    assert_tells(text, "coap://198.51.100.9/rd-lookup/ep                  not asked: it is outside");
    assert_tells(
        text,
        "gp1                       group     coap://239.0.0.1                          core.rd-group in floor 3\n");
    assert_tells(text,
                 "sec1                      join at coaps://gm.example/ace-group/sec1, for gp1, says 127.0.0.9:5683\n"
                 "    hkdf=5 gp_enc_alg=10\n");
    assert_tells(text, "  coap://239.0.0.7 was not asked\n  11 did not fit\n");
    assert_tells(text, ", 1 silent, 12 left out; ended by deadline\n");
    free(text);
}

/* ESC and CSI in both forms, right-to-left, NUL, what is no UTF-8, and what has no end. */
static void nothing_moves_the_cursor(void **state) {
    struct cg_found found = {0};
    char links[4096];
    (void)state;
    snprintf(links, sizeof links,
             "</a>;rt=\"x\\\x1b[31m y\";title=\"K\xc3\xbc"
             "che \\\x1b]0;hi\\\x07 \xc2\x9b"
             "31m \xe2\x80\xae evil \xff \\\r\\\n\",</%0200d>;title=\"%0300d\"",
             1, 2);
    struct cg_found_node node = node_at("127.0.0.1:5683", links);
    chain_nodes(&found, &node, 1);
    struct cg_found_gap gap = {.what = cg_slice_str("coap://\x1b[2J\x7f"), .why = "is no URI", .count = 1};
    found.gaps = &gap;
    char *text = table_of(&found);
    assert_tells(text, "x?[31m y");
    assert_tells(text, "K\xc3\xbc"
                       "che ?]0;hi? ?31m ? evil ? ??");
    assert_tells(text, "coap://?[2J? is no URI");
    for (const char *c = text; *c != '\0'; c++) assert_true(*c == '\n' || (unsigned char)*c >= 0x20);
    assert_silent_of(text, "\x7f");
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) assert_true(strlen(line) < 200);
    free(text);
}

static void cells(void **state) {
    (void)state;
    static const struct {
        const char *text, *cell;
    } cases[] = {{"", "        "},
                 {"ab", "ab      "},
                 {"abcdef", "abcdef  "},
                 {"abcdefg", "abc...  "},
                 {"\xc3\xa4\xc3\xb6", "\xc3\xa4\xc3\xb6      "},
                 {"a\xc3", "a?      "}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cg_buf to;
        cg_buf_init(&to, 0);
        cg_put_cell(&to, cg_slice_str(cases[i].text), 6);
        assert_true(cg_slice_is(cg_buf_slice(&to), cases[i].cell));
        cg_buf_fini(&to);
    }
}

/* ---- As settings ---- */

static struct cg_config *settings(const char *text) {
    struct cg_config *config = NULL;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    int err = cg_settings_parse(cg_slice_str(text), "/tmp", &config, &mistakes);
    if (err != CG_OK) fail_msg("%s %s in %s", mistakes.first->pointer, mistakes.first->message, text);
    cg_mistakes_fini(&mistakes);
    return config;
}

/* Its proposals, after it was seen that settings with them, and what there was, are taken; NULL: there are none. Freed
 * by the caller. */
static json_t *proposals(const struct cg_found *found, const char *file, char **text) {
    json_t *document = document_of(found), *whole = json_loads(file, 0, NULL), *list = NULL;
    struct cg_config *config = settings(file);
    struct cg_buf paste;
    cg_buf_init(&paste, 0);
    cg_discover_paste(&paste, document, config);
    cg_buf_put_u8(&paste, '\0');
    const char *json = strstr((char *)paste.data, "\n{");
    if (json != NULL) {
        json_error_t error;
        json_t *pasted = json_loads(json, JSON_DISABLE_EOF_CHECK, &error);
        if (pasted == NULL) fail_msg("%s: %s", error.text, json);
        list = json_incref(json_object_get(pasted, "mappings"));
        if (json_object_get(whole, "mappings") == NULL) json_object_set_new(whole, "mappings", json_array());
        json_array_extend(json_object_get(whole, "mappings"), list);
        char *merged = json_dumps(whole, 0);
        cg_config_unref(settings(merged));
        free(merged);
        json_decref(pasted);
    }
    *text = (char *)paste.data;
    cg_config_unref(config);
    json_decref(document);
    json_decref(whole);
    return list;
}

#define PLAIN "{\"group\":{\"interface\":\"lo\"}}"

static void mappings_for_a_group_that_has_none(void **state) {
    struct cg_found found = {0};
    char *text;
    (void)state;
    struct cg_found_node nodes[] = {
        node_at("127.0.0.1:5683", "</light>;rt=\"light dimmer\",</.well-known/core>,</rd>;rt=core.rd"),
        node_at("127.0.0.2:61616", "</light>;rt=light,</Te%6dp/1?x=y>;rt=\"Temp_C\""),
        node_at("127.0.0.2:61616", "</light>;rt=light"), node_at("[fe80::1%3]:5683", "</b>")};
    chain_nodes(&found, nodes, 4);
    json_t *list = proposals(&found, PLAIN, &text);
    assert_json(list,
                "[{\"name\":\"group-224.0.1.187\",\"path\":\"/group-224.0.1.187\",\"group\":\"coap://224.0.1.187/\","
                "\"interface\":\"lo\",\"security\":\"none\",\"methods\":[\"GET\"],\"timeout\":6,\"members\":["
                "\"127.0.0.1:5683\",\"127.0.0.2:61616\",\"[fe80::1]:5683\"],\"clients\":[\"anonymous\"]},"
                "{\"name\":\"light\",\"path\":\"/light\",\"group\":\"coap://224.0.1.187/light\",\"interface\":\"lo\","
                "\"security\":\"none\",\"methods\":[\"GET\"],\"timeout\":6,\"members\":[\"127.0.0.1:5683\","
                "\"127.0.0.2:61616\"],\"clients\":[\"anonymous\"]},"
                "{\"name\":\"temp_c\",\"path\":\"/temp_c\",\"group\":\"coap://224.0.1.187/Temp/1?x=y\",\"interface\":"
                "\"lo\",\"security\":\"none\",\"methods\":[\"GET\"],\"timeout\":6,\"members\":[\"127.0.0.2:61616\"],"
                "\"clients\":[\"anonymous\"]}]");
    json_decref(list);
    free(text);
}

#define MAPPED                                                                                                         \
    "{\"group\":{\"interface\":\"lo\"},\"mappings\":[{\"name\":\"lamps\",\"path\":\"/lamps\",\"group\":"               \
    "\"coap://224.0.1.187/\",\"security\":\"none\",\"timeout\":9,\"clients\":[\"anonymous\"]},{\"name\":\"light\",\""  \
    "path\":\"/else\",\"group\":\"coap://224.0.1.187/light\",\"security\":\"none\"},{\"name\":\"x\",\"path\":"         \
    "\"/temp\",\"group\":\"coap://239.9.9.9\",\"security\":\"none\"}]}"

static void only_what_is_not_there_yet(void **state) {
    struct cg_found found = {0};
    struct cg_mapping lamps = {.name = "lamps"}, gone = {.name = "gone"};
    char *text;
    (void)state;
    struct cg_found_node nodes[] = {
        node_at("127.0.0.1:5683", "</light>;rt=light,</t>;rt=temp,</u>;rt=\"x\",</v>;rt=\"***\""),
        node_at("127.0.0.2:5683", "</w>;rt=w")};
    nodes[0].mapping = &lamps;
    nodes[1].mapping = &gone; /* of settings that this file has not */
    chain_nodes(&found, nodes, 2);
    json_t *list = proposals(&found, MAPPED, &text);
    assert_int_equal(json_array_size(list), 3);
    assert_json(
        json_array_get(list, 0),
        "{\"name\":\"temp-2\",\"path\":\"/temp-2\",\"group\":\"coap://224.0.1.187/t\",\"interface\":\"lo\","
        "\"security\":\"none\",\"methods\":[\"GET\"],\"timeout\":9,\"members\":[\"127.0.0.1:5683\"],\"clients\":"
        "[\"anonymous\"]}");
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "name")), "x-2");
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 2), "name")), "group");
    assert_tells(text, "these belong to mapping \"lamps\", whose replies then say who is missing\n"
                       "\"members\": [\"127.0.0.1:5683\"]\n");
    json_decref(list);
    free(text);
}

static void groups_of_a_directory_and_of_links(void **state) {
    struct cg_found found = {0};
    char *text;
    (void)state;
    struct cg_found_directory directory = {.uri = cg_slice_str("coap://127.0.0.9/rd-lookup/ep")};
    struct cg_found_entry entries[] = {
        {.name = cg_slice_str("Floor 3"), .base = cg_slice_str("coap://239.0.0.3:61616"), .is_group = true},
        {.name = cg_slice_str("safe"), .base = cg_slice_str("coap://239.0.0.4"), .is_group = true},
        {.name = cg_slice_str("node"), .base = cg_slice_str("coap://127.0.0.1")},
        {.name = cg_slice_str("bad"), .base = cg_slice_str("coaps://239.0.0.5\"}"), .is_group = true}};
    for (size_t i = 0; i < 4; i++) {
        entries[i].next = i < 3 ? &entries[i + 1] : NULL;
        entries[i].directory = &directory;
    }
    struct cg_found_security_group pending = {
        .name = cg_slice_str("sec"), .application = cg_slice_str("safe"), .told_by = addr("127.0.0.9")};
    struct cg_found_node node =
        node_at("127.0.0.1:5683", "<coap://[ff35:30:2001:db8::23]/gp/1>;rt=g.light,"
                                  "<http://192.0.2.1/>;rt=web,<//192.0.2.1/>;rt=x,</../a>;rt=y,<c>;rt=z");
    found.entries = entries;
    found.security_groups = &pending;
    chain_nodes(&found, &node, 1);
    json_t *list = proposals(&found, PLAIN, &text);
    assert_int_equal(json_array_size(list), 3);
    assert_json(
        json_array_get(list, 1),
        "{\"name\":\"g.light\",\"path\":\"/g.light\",\"group\":\"coap://[ff35:30:2001:db8::23]/gp/1\",\"interface\":"
        "\"lo\",\"security\":\"none\",\"methods\":[\"GET\"],\"timeout\":6,\"clients\":[\"anonymous\"]}");
    assert_json(
        json_array_get(list, 2),
        "{\"name\":\"floor-3\",\"path\":\"/floor-3\",\"group\":\"coap://239.0.0.3:61616/\",\"interface\":\"lo\","
        "\"security\":\"none\",\"methods\":[\"GET\"],\"timeout\":6,\"clients\":[\"anonymous\"]}");
    json_decref(list);
    free(text);
}

/* A group that is protected by any mapping is not proposed to be read plainly, and by its own it stays protected. */
static void what_is_protected_stays_so(void **state) {
    struct cg_found found = {0};
    (void)state;
    struct cg_client dashboard = {.name = "dashboard"}, writer = {.name = "writer"};
    struct cg_grant grants[] = {{.client = &dashboard, .methods = CG_METHODS_SAFE},
                                {.client = &writer, .methods = CG_METHOD_BIT(CG_PUT)}};
    struct cg_security_keys keys = {.name = "floor3"};
    struct cg_config *config =
        settings("{\"mappings\":[{\"name\":\"lamps\",\"interface\":\"lo\",\"hops\":2,\"group\":\"" GROUP
                 "/\",\"security\":\"none\"}]}");
    struct cg_mapping *mapping = &config->mappings[0]; /* as if key files were there */
    mapping->security = CG_SECURITY_GROUP;
    mapping->keys = &keys;
    mapping->leisure = 20;
    mapping->grants = grants;
    mapping->grant_count = 2;
    struct cg_found_node nodes[] = {node_at("127.0.0.1:5683", "</light>;rt=light"),
                                    node_at("127.0.0.2:5683", "</t>;rt=t")};
    nodes[0].mapping = mapping;
    chain_nodes(&found, nodes, 2); /* the second one answered without protection, to somebody's own URI */
    json_t *document = document_of(&found);
    struct cg_buf paste;
    cg_buf_init(&paste, 0);
    cg_discover_paste(&paste, document, config);
    cg_buf_put_u8(&paste, '\0');
    json_t *pasted = json_loads(strstr((char *)paste.data, "\n{"), JSON_DISABLE_EOF_CHECK, NULL);
    assert_json(
        json_object_get(pasted, "mappings"),
        "[{\"name\":\"light\",\"path\":\"/light\",\"group\":\"coap://224.0.1.187/"
        "light\",\"interface\":\"lo\",\"hops\":2,"
        "\"security\":\"floor3\",\"timeout\":21,\"clients\":[{\"name\":\"dashboard\",\"methods\":[\"GET\"]}]}]");
    json_decref(pasted);
    json_decref(document);
    cg_buf_fini(&paste);
    cg_config_unref(config);
}

static void proposals_are_bounded(void **state) {
    struct cg_found found = {0};
    struct cg_buf links;
    char *text;
    (void)state;
    cg_buf_init(&links, 0);
    for (unsigned i = 0; i < 100; i++) cg_buf_printf(&links, "%s</%u>;rt=\"%0100u\"", i > 0 ? "," : "", i, 7);
    cg_buf_put_u8(&links, '\0');
    struct cg_found_node node = node_at("127.0.0.1:5683", (const char *)links.data);
    chain_nodes(&found, &node, 1);
    json_t *list = proposals(&found, PLAIN, &text);
    assert_int_equal(json_array_size(list), 24);
    assert_tells(text, "(and 77 more that could be: --filter says which)\n");
    json_decref(list);
    free(text);
    cg_buf_fini(&links);
}

static void no_proposals(void **state) {
    struct cg_found found = {.ended_by = "all"};
    char *text;
    (void)state;
    assert_null(proposals(&found, PLAIN, &text));
    assert_string_equal(text, "");
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_as_json),
        cmocka_unit_test(nothing_was_found),
        cmocka_unit_test(a_table),
        cmocka_unit_test(what_else_there_is),
        cmocka_unit_test(nothing_moves_the_cursor),
        cmocka_unit_test(cells),
        cmocka_unit_test(mappings_for_a_group_that_has_none),
        cmocka_unit_test(only_what_is_not_there_yet),
        cmocka_unit_test(groups_of_a_directory_and_of_links),
        cmocka_unit_test(what_is_protected_stays_so),
        cmocka_unit_test(proposals_are_bounded),
        cmocka_unit_test(no_proposals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
