/* Resource Directories that are found (R46), security groups that links tell of (R59), and links that lead where nobody
 * should ask. */
#include "jobs/fake_discovery.h"

#include <stdio.h>

#define LOOKUP_EP  "</rd-lookup/ep>;rt=\"core.rd-lookup-ep\";ct=40"
#define LOOKUP_RES "</rd-lookup/res>;rt=\"core.rd-lookup-res\";ct=40"
#define GROUPS     "GET 127.1.0.1:5683 /rd-lookup/ep?et=core.rd-group&page=0&count=50"
#define ENDPOINTS  "GET 127.1.0.1:5683 /rd-lookup/ep?page=0&count=50"
#define JOINS      "GET 127.1.0.1:5683 /rd-lookup/res?rt=core.osc.gm&page=0&count=50"

static void begin(struct search *search, const char *links) {
    search_begin(search, "lamps", "", 120);
    search_links(search, search_sent(search), "127.1.0.1", links);
}

/* Somebody unknown proves first to be there. */
static size_t expect(struct search *search, const char *said) {
    size_t sent = search_sent(search);
    if (search->world.sent[sent].msg.code == CG_EMPTY) {
        search_pong(search, sent);
        sent = search_sent(search);
    }
    assert_string_equal(search_said(search, sent), said);
    return sent;
}

static const struct cg_found_entry *entry(const struct search *search, const char *name) {
    const struct cg_found_entry *entry = search_found(search)->entries;
    while (entry != NULL && !cg_slice_is(entry->name, name)) entry = entry->next;
    if (entry == NULL) fail_msg("no entry %s", name);
    return entry;
}

static void groups_and_endpoints_of_a_directory_are_imported(void **state) {
    struct search *search = *state;
    begin(search, "</rd>;rt=\"core.rd\"," LOOKUP_EP);
    search_links(search, expect(search, GROUPS), "127.1.0.1",
                 "</rd/501>;ep=\"lights\";et=\"core.rd-group\";base=\"coap://224.0.1.200\"");
    search_links(search, expect(search, ENDPOINTS), "127.1.0.1",
                 "</rd/501>;ep=\"lights\";et=\"core.rd-group\";base=\"coap://224.0.1.200\","
                 "</rd/7>;ep=\"node \\\"7\\\"\";d=\"R2\";base=\"coap://127.1.0.7:61616\"");
    const struct cg_found *found = search_finish(search);
    search_nothing_sent(search);
    assert_int_equal(found->entry_count, 2);
    assert_true(entry(search, "lights")->is_group && entry(search, "lights")->may_be_fetched);
    assert_slice(entry(search, "lights")->base, "coap://224.0.1.200");
    const struct cg_found_entry *node = entry(search, "node \"7\"");
    assert_false(node->is_group);
    assert_true(node->may_be_fetched);
    assert_slice(node->sector, "R2");
    assert_slice(node->directory->uri, "coap://127.1.0.1:5683/rd-lookup/ep");
    assert_int_equal(found->directory_count, 2);
    assert_string_equal(found->ended_by, "all");
}

static const char *page_of(unsigned count, unsigned first) {
    static char page[8192];
    int len = 0;
    for (unsigned i = 0; i < count; i++)
        len += snprintf(page + len, sizeof page - (size_t)len, "%s</rd/%u>;ep=\"n%u\"", i > 0 ? "," : "", first + i,
                        first + i);
    return page;
}

static void full_pages_are_followed_by_the_next(void **state) {
    struct search *search = *state;
    begin(search, LOOKUP_EP);
    search_links(search, expect(search, GROUPS), "127.1.0.1", "");
    search_links(search, expect(search, ENDPOINTS), "127.1.0.1", page_of(50, 0));
    search_links(search, expect(search, "GET 127.1.0.1:5683 /rd-lookup/ep?page=1&count=50"), "127.1.0.1",
                 page_of(3, 50));
    assert_int_equal(search_finish(search)->entry_count, 53);
    search_nothing_sent(search);
}

static void a_directory_that_repeats_a_page_is_asked_no_more(void **state) {
    struct search *search = *state;
    begin(search, LOOKUP_EP);
    search_links(search, expect(search, GROUPS), "127.1.0.1", "");
    search_links(search, expect(search, ENDPOINTS), "127.1.0.1", page_of(50, 0));
    search_links(search, expect(search, "GET 127.1.0.1:5683 /rd-lookup/ep?page=1&count=50"), "127.1.0.1",
                 page_of(50, 0));
    assert_int_equal(search_finish(search)->entry_count, 50);
    search_nothing_sent(search);
}

static const char *directories_of(unsigned node, unsigned count) {
    static char links[8192];
    int len = 0;
    for (unsigned i = 0; i < count; i++)
        len +=
            snprintf(links + len, sizeof links - (size_t)len, "%s</%u/%u>;rt=\"core.rd\"", i > 0 ? "," : "", node, i);
    return links;
}

/* Each is compared with all others, and asked for by a node that is looked for among all. */
static void of_directories_without_end_few_are_kept(void **state) {
    struct search *search = *state;
    search_begin(search, "lamps", "", 120);
    size_t sent = search_sent(search);
    search_links(search, sent, "127.1.0.1", directories_of(1, 200));
    search_links(search, sent, "127.1.0.2", LOOKUP_EP); /* keeps its place beside that */
    world_run(&search->world);
    assert_int_equal(search_found(search)->directory_count, 17);
    assert_int_equal(search_found(search)->left_out, 184);
    for (unsigned i = 3; i < 100; i++) {
        char from[32];
        snprintf(from, sizeof from, "127.1.0.%u", i);
        search_links(search, sent, from, directories_of(i, 16));
    }
    assert_int_equal(search_finish(search)->directory_count, 256);
}

static void a_directory_that_has_pages_for_ever_is_left(void **state) {
    struct search *search = *state;
    unsigned pages = 0;
    begin(search, LOOKUP_EP);
    search_links(search, expect(search, GROUPS), "127.1.0.1", "");
    for (; pages < 40; pages++) search_links(search, search_sent(search), "127.1.0.1", page_of(50, 50 * pages));
    const struct cg_found *found = search_finish(search);
    search_nothing_sent(search);
    assert_int_equal(found->entry_count, 2000);
    assert_non_null(found->gaps);
    assert_slice(found->gaps->what, "coap://127.1.0.1:5683/rd-lookup/ep");
}

static void a_directory_that_tells_no_look_up_is_asked_for_it(void **state) {
    struct search *search = *state;
    search_begin(search, "lamps", "rt=core.rd", 120);
    search_links(search, search_sent(search), "127.1.0.1", "</rd>;rt=\"core.rd\"");
    search_links(search, expect(search, "GET 127.1.0.1:5683 /.well-known/core?rt=core.rd*"), "127.1.0.1",
                 "</rd>;rt=\"core.rd\"," LOOKUP_RES ",<coap://127.1.0.9/lookup>;rt=\"core.rd-lookup-ep\"");
    search_links(search, expect(search, JOINS), "127.1.0.1", "");
    const struct cg_found *found = search_finish(search);
    search_nothing_sent(search); /* nobody else's directory */
    assert_int_equal(found->directory_count, 3);
    assert_false(found->directories->next->next->may_be_fetched);
}

static void security_groups_are_kept_once(void **state) {
    struct search *search = *state;
    static const char link[] = "<coap://127.1.0.5/ace-group/g1>;ct=\"65000\";rt=\"core.osc.gm\";if=\"ace.group\";"
                               "sec-gp=\"g1\";app-gp=\"lights\";gp_enc_alg=\"10\"";
    char links[1024];
    snprintf(links, sizeof links, "%s," LOOKUP_RES ",</ace-group/g2>;rt=\"core.osc.gm\";sec-gp=\"g2\"", link);
    begin(search, links);
    snprintf(links, sizeof links,
             "%s,</ace-group/g3>;rt=\"core.osc.gm\";sec-gp=\"g3\";anchor=\"coap://127.1.0.6:7777/x\"", link);
    search_links(search, expect(search, JOINS), "127.1.0.1", links);
    const struct cg_found *found = search_finish(search);
    assert_int_equal(found->security_group_count, 3);
    const struct cg_found_security_group *group = found->security_groups;
    assert_slice(group->name, "g1");
    assert_slice(group->application, "lights");
    assert_slice(group->join, "coap://127.1.0.5/ace-group/g1");
    assert_slice(group->next->join, "coap://127.1.0.1:5683/ace-group/g2");
    assert_slice(group->next->next->join, "coap://127.1.0.6:7777/ace-group/g3");
}

/* Of a directory on a link that is none of loopback's. */
static void links_that_lead_astray_are_listed_and_never_asked(void **state) {
    static const char *const targets[] = {
        "coap://203.0.113.9/rd",      "coap://127.0.0.1/rd",        "coap://[::1]/rd",
        "coap://127.0.0.1:5685/rd",   "coap://user:pw@127.1.0.1/",  "coap://224.0.1.187/rd",
        "coaps://198.51.100.2/rd",    "coap://198.51.100.2:5684/",  "http://198.51.100.2/rd",
        "coap://directory.example/x", "coap://0.0.0.0/rd",          "file:///etc/passwd",
        "coap+tcp://198.51.100.2/rd", "coap://[fe80::1%25eth0]/rd", "coap://198.51.100.7:5683/rd",
        "coap://198.51.100.7:5690/",
    };
    struct search *search = *state;
    struct cg_prefix prefix;
    struct cg_coap_listen door = {.listen = {.addr = address("198.51.100.7:5683")}, .scheme = CG_SCHEME_COAP};
    struct cg_coap_listen alarms = {.listen = {.addr = address("198.51.100.7:5690")}, .scheme = CG_SCHEME_COAP};
    char links[2048];
    int len = 0;
    search->world.config->alerts.listen = &alarms;
    search->world.config->alerts.listen_count = 1;
    assert_int_equal(cg_prefix_parse(&prefix, cg_slice_str("198.51.100.0/24")), CG_OK);
    search->world.config->group.prefixes = &prefix;
    search->world.config->group.prefix_count = 1;
    search->world.config->coap.listen = &door;
    search->world.config->coap.listen_count = 1;
    world_mapping(&search->world, "lamps")->targets[0].interface = "eth0";
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        len += snprintf(links + len, sizeof links - (size_t)len, "%s<%s>;rt=\"core.rd-lookup-ep\"", i > 0 ? "," : "",
                        targets[i]);
    search_begin(search, "lamps", "", 30);
    search_links(search, search_sent(search), "198.51.100.3", links);
    const struct cg_found *found = search_finish(search);
    search_nothing_sent(search);
    assert_int_equal(found->directory_count, sizeof targets / sizeof *targets);
    const struct cg_found_directory *directory = found->directories;
    for (size_t i = 0; directory != NULL; directory = directory->next, i++) {
        assert_slice(directory->uri, targets[i]);
        assert_false(directory->may_be_fetched);
        assert_int_equal(directory->state, CG_FOUND_UNASKED);
    }
}

static void what_a_directory_registers_is_listed_and_never_asked(void **state) {
    struct search *search = *state;
    begin(search, LOOKUP_EP);
    search_links(search, expect(search, GROUPS), "127.1.0.1", "");
    search_links(search, expect(search, ENDPOINTS), "127.1.0.1",
                 "</1>;ep=\"far\";base=\"coap://203.0.113.1\",</2>;ep=\"near\";base=\"coap://127.1.0.2\","
                 "</3>;ep=\"none\",</4>;ep=\"dtls\";base=\"coap://224.0.1.1:5684\",</5>;x");
    const struct cg_found *found = search_finish(search);
    search_nothing_sent(search);
    assert_int_equal(found->entry_count, 4);
    assert_false(entry(search, "far")->may_be_fetched);
    assert_true(entry(search, "near")->may_be_fetched);
    assert_false(entry(search, "none")->may_be_fetched);
    assert_false(entry(search, "dtls")->may_be_fetched);
}

static void a_silent_directory_is_said_to_be(void **state) {
    struct search *search = *state;
    begin(search, LOOKUP_EP);
    size_t sent = search_sent(search);
    assert_int_equal(search->world.sent[sent].msg.code, CG_EMPTY); /* nobody answers the ping */
    const struct cg_found *found = search_finish(search);
    assert_true(found->directories->state == CG_FOUND_SILENT || found->left_out > 0);
    assert_int_equal(found->entry_count, 0);
}

static void an_error_of_a_directory_is_told(void **state) {
    struct search *search = *state;
    begin(search, LOOKUP_EP);
    search_answer(search, expect(search, GROUPS), "127.1.0.1", CG_CODE(4, 1), 0, "");
    const struct cg_found *found = search_finish(search);
    search_nothing_sent(search);
    assert_int_equal(found->directories->state, CG_FOUND_REFUSED);
    assert_int_equal(found->directories->code, CG_CODE(4, 1));
}

/* Somebody who answers with directories without end. */
static void few_directories_are_asked(void **state) {
    struct search *search = *state;
    static char links[16384];
    int len = 0;
    unsigned pinged = 0;
    for (unsigned i = 0; i < 200; i++)
        len += snprintf(links + len, sizeof links - (size_t)len, "%s<coap://127.2.%u.1/x>;rt=core.rd-lookup-res",
                        i > 0 ? "," : "", i);
    search_begin(search, "lamps", "", 60);
    search_links(search, search_sent(search), "127.1.0.1", links);
    const struct cg_found *found = search_finish(search);
    for (size_t i = 1; i < search->world.sent_count; i++) {
        assert_int_equal(search->world.sent[i].msg.code, CG_EMPTY); /* nothing goes to who has proven nothing */
        pinged++;
    }
    assert_in_range(pinged, 1, 16 * 5);
    assert_int_equal(found->directory_count, 16);
    assert_true(found->left_out >= 184);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        search_test(groups_and_endpoints_of_a_directory_are_imported),
        search_test(full_pages_are_followed_by_the_next),
        search_test(a_directory_that_repeats_a_page_is_asked_no_more),
        search_test(of_directories_without_end_few_are_kept),
        search_test(a_directory_that_has_pages_for_ever_is_left),
        search_test(a_directory_that_tells_no_look_up_is_asked_for_it),
        search_test(security_groups_are_kept_once),
        search_test(links_that_lead_astray_are_listed_and_never_asked),
        search_test(what_a_directory_registers_is_listed_and_never_asked),
        search_test(a_silent_directory_is_said_to_be),
        search_test(an_error_of_a_directory_is_told),
        search_test(few_directories_are_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
