/* What right settings become: defaults, values, files, the way back to text, warnings, the schema. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "model/forward.h"
#include "model/mapping.h"
#include "fake_text.h"

#define TOKEN_DIGEST "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CONF TEST_SOURCE_DIR "/../conf/"

static const char whole[] =
    "{'http':{'listen':['127.0.0.1:8090',{'address':'[2001:db8::1]:8080','insecure':true}],'strict':true,'coap_payload'"
    ":true,"
    "'hosts':['GW.example','[2001:DB8::1]','gw2.example:8443'],"
    "'origins':['HTTPS://Dash.example:443','http://[2001:DB8::1]:80','http://a.example:8123','chrome-extension://abc'],"
    "'trusted_proxies':['127.0.0.1','2001:db8:9::/48'],"
    "'tls':{'certificate':'gw.crt','key':'/keys/gw.key','client_ca':'../ca.crt'}},"
    "'admin':{'listen':['[::1]:8081']},'coap':{'listen':['COAP://127.0.0.1',{'address':'coap://[2001:DB8::1]:61616',"
    "'insecure':true},'coaps://[fe80::1%252]','coap+tcp://127.0.0.1'],'all_nodes':['eth0','a.very-long-name.of-it'],"
    "'tls':{'certificate':'gw.crt','key':'/keys/gw.key'},"
    "'options':{'multicast_timeout':65002,'reply_from':65000,'group_etag':65024,'uri_path_abbrev':65001,"
    "'proxy_cri':65003,'proxy_scheme_number':65007}},'state':'state','seal_key':'state.key','history_days':30,'"
    "sequence_rate':250,'require_clock':true,"
    "'group':{'interface':'eth0','address':'192.0.2.1','port':61616,'hops':3,"
    "'receive_buffer':8192,'nstart':4,'ack_timeout':0.25,'probing_rate':100,'probing_burst':2000,'frame_size':80,"
    "'prefixes':['2001:DB8:7::/48','10.0.0.0/8','192.0.2.7'],"
    "'send_budgets':[{'interface':'eth1','requests':8,'seconds':9},{'interface':'wpan0','requests':1,'seconds':1}]},"
    "'limits':{'exchanges':5,'exchanges_per_client':2,'exchange_memory':100000,'total_memory':200000,'request_body':0,"
    "'answer':2048,'stream_queue':8192,'cache':4096},'plugins':{'folder':'plugins','load':['b.so','a-1.so']},"
    "'hooks':{'after_rekey':['/bin/rekeyed','a b',''],'seconds':5},"
    "'clients':{'dashboard':{'token_sha256':'" HASH "'},'b-2':{'certificate_sha256':'" HASH "'}},"
    "'mappings':["
    "{'name':'floor3','path':'/b/floor%33','host':'Gw.Example','group':'COAP://[FF35:30:2001:DB8::23]:5683/"
    "light?x=%7e',"
    "'interface':'eth1','hops':7,'security':'none','methods':['GET','PUT','iPATCH'],'unsafe_methods':true,'leisure':0."
    "1,"
    "'timeout':2.5,'max_timeout':100.000001,'finish':'quorum:0.9','membership':'complete',"
    "'members':['127.1.0.1:5683',{'name':'lamp-2','address':'[fe80::1%2]'},{'address':'127.1.0.3:61616','multicast':"
    "false}],"
    "'repair':{'unicast':true,'large_requests':true},'block_size':256,'forward':false,'max_answers':12,'budget':{'"
    "requests_per_minute':60},"
    "'clients':['dashboard',{'name':'b-2','methods':['PUT']},'anonymous'],"
    "'cache':true,'aggregate':true,'anonymise':false,'record_payloads':true,'stand_in':'group'},"
    "{'name':'both','path':'/','security':'none','targets':[{'group':'coap://224.0.1.187:61616'},"
    "{'group':'coap://224.0.1.187:61616/"
    "','interface':'eth2'}],'finish':'count:3','anonymise':true,'record_payloads':false},"
    "{'name':'open','security':'none','group':'coap://224.0.1.188/a/','forward':true,'stand_in':'members'},"
    "{'name':'chain','path':'/chain','security':'none','targets':[{'next_hop':'coap://192.0.2.1:5683/"
    "far','round_trip':3},"
    "{'next_hop':'coap://[2001:db8::1]','group':'coap://[ff35::23]/base'},"
    "{'next_hop':'coaps+tcp://192.0.2.2/far','credentials':'far'}]}],"
    "'credentials':{'far':{'ca':'/etc/ca.pem','certificate':'/etc/c.pem','key':'/etc/k.pem'},"
    "'key':{'psk':{'identity':'i','key_file':'/etc/i.key'}}}}";

static void an_empty_file_has_all_defaults(void **state) {
    (void)state;
    const struct cg_config *config = settings_of("{}");
    assert_int_equal(config->http.listen_count, 1);
    assert_string_equal(config->http.listen[0].text, "127.0.0.1:8080");
    assert_true(config->http.listen[0].loopback);
    assert_false(config->http.listen[0].insecure);
    assert_int_equal(config->admin.listen_count, 1);
    assert_int_equal(config->admin.listen[0].addr.port, 8081);
    assert_int_equal(config->coap.listen_count, 1);
    assert_string_equal(config->coap.listen[0].listen.text, "coap://127.0.0.1:5683");
    assert_true(config->coap.listen[0].listen.loopback);
    assert_true(config->coap.listen[0].is_default);
    assert_int_equal(config->coap.all_nodes_count, 0);
    assert_null(config->coap.tls.certificate);
    assert_null(config->http.tls.certificate);
    assert_false(config->http.strict);
    assert_false(config->http.coap_payload);
    assert_null(config->group.interface);
    assert_int_equal(config->group.address.family, CG_FAMILY_NONE);
    assert_int_equal(config->limits.exchanges, 1024);
    assert_string_equal(config->state, "/var/lib/castgate");
    assert_null(config->seal_key);
    assert_int_equal(config->history_days, 365);
    assert_int_equal(config->sequence_rate, 100);
    assert_false(config->require_clock);
    assert_string_equal(config->plugin_folder, "/usr/lib/castgate");
    assert_int_equal(config->plugin_count, 0);
    assert_int_equal(config->client_count, 0);
    assert_int_equal(config->mapping_count, 0);
    config = settings_of("{'http':{'listen':[]},'admin':{'listen':[]},'coap':{'listen':[]}}");
    assert_int_equal(config->coap.listen_count, 0);
    assert_int_equal(config->http.listen_count, 0);
    assert_int_equal(config->admin.listen_count, 0);
}

/* R58: GET and FETCH, unless more is asked for. */
static void a_short_mapping_has_all_defaults_R58(void **state) {
    (void)state;
    const struct cg_config *config = settings_of(
        "{'group':{'interface':'lo','hops':9},'mappings':[{'name':'m','group':'coap://224.0.1.187','security':'none'},"
        "{'name':'u','group':'coap://[ff02::fd]','security':'none','unsafe_methods':true,'clients':['anonymous']},"
        "{'name':'c','group':'coap://[ff05::fd]','security':'none','members':['127.1.0.1'],'membership':'complete'}]}");
    const struct cg_mapping *m = cg_mapping_by_name(config, "m");
    assert_string_equal(m->path, "/m");
    assert_null(m->host);
    assert_int_equal(m->target_count, 1);
    assert_string_equal(m->targets[0].uri, "coap://224.0.1.187/");
    assert_string_equal(m->targets[0].interface, "lo");
    assert_int_equal(m->targets[0].hops, 9);
    assert_int_equal(m->targets[0].group.port, 5683);
    assert_int_equal(m->targets[0].host.len, 0);
    assert_null(m->targets[0].query.data);
    assert_int_equal(m->security, CG_SECURITY_NONE);
    assert_int_equal(m->methods, CG_METHODS_SAFE);
    assert_true(m->leisure == 5);
    assert_false(m->has_timeout);
    assert_int_equal(m->max_timeout_us, 60000000);
    assert_int_equal(m->finish.rule, CG_FINISH_DEADLINE);
    assert_int_equal(m->max_answers, 10000);
    assert_int_equal(m->requests_per_minute, 0);
    assert_int_equal(m->grant_count, 0);
    assert_false(m->complete || m->repair_unicast || m->forward || m->anonymise);
    assert_false(m->repair_large_requests);
    assert_int_equal(m->block_size, 0);
    assert_int_equal(m->stand_in, CG_STAND_IN_GROUP);
    const struct cg_mapping *u = cg_mapping_by_name(config, "u");
    assert_int_equal(u->methods, CG_METHODS_ALL);
    assert_int_equal(u->grant_count, 1);
    assert_null(u->grants[0].client);
    assert_int_equal(u->grants[0].methods, CG_METHODS_SAFE);
    const struct cg_mapping *c = cg_mapping_by_name(config, "c");
    assert_int_equal(c->finish.rule, CG_FINISH_ALL);
    assert_string_equal(c->members[0].name, "127.1.0.1:5683");
}

static void check_sections(const struct cg_config *config) {
    assert_int_equal(config->http.listen_count, 2);
    assert_true(config->http.listen[1].insecure);
    assert_false(config->http.listen[1].loopback);
    assert_true(config->http.strict);
    assert_true(config->http.coap_payload);
    assert_int_equal(config->http.host_count, 3);
    assert_string_equal(config->http.hosts[0], "gw.example");
    assert_string_equal(config->http.hosts[1], "[2001:db8::1]");
    assert_string_equal(config->http.hosts[2], "gw2.example:8443");
    static const char *const origins[] = {"https://dash.example", "http://[2001:db8::1]", "http://a.example:8123",
                                          "chrome-extension://abc"};
    assert_int_equal(config->http.origin_count, 4);
    for (size_t i = 0; i < 4; i++) assert_string_equal(config->http.origins[i], origins[i]);
    assert_int_equal(config->http.trusted_proxy_count, 2);
    assert_int_equal(config->http.trusted_proxies[1].bits, 48);
    assert_string_equal(config->http.tls.certificate, "/etc/castgate/gw.crt");
    assert_string_equal(config->http.tls.key, "/keys/gw.key");
    assert_string_equal(config->http.tls.client_ca, "/etc/castgate/../ca.crt");
    assert_true(config->admin.listen[0].loopback);
    assert_int_equal(config->options.multicast_timeout, 65002);
    assert_int_equal(config->options.reply_from, 65000);
    assert_int_equal(config->options.group_etag, 65024);
    assert_string_equal(config->state, "/etc/castgate/state");
    assert_string_equal(config->seal_key, "/etc/castgate/state.key");
    assert_int_equal(config->history_days, 30);
    assert_int_equal(config->sequence_rate, 250);
    assert_true(config->require_clock);
    assert_string_equal(config->plugin_folder, "/etc/castgate/plugins");
    assert_int_equal(config->plugin_count, 2);
    assert_string_equal(config->plugins[0], "b.so");
    assert_string_equal(config->plugins[1], "a-1.so");
    assert_int_equal(config->after_rekey_count, 3);
    assert_string_equal(config->after_rekey[0], "/bin/rekeyed");
    assert_string_equal(config->after_rekey[1], "a b");
    assert_string_equal(config->after_rekey[2], "");
    assert_int_equal(config->hook_seconds, 5);
    assert_string_equal(config->group.interface, "eth0");
    assert_int_equal(config->group.address.ip[0], 192);
    assert_int_equal(config->group.port, 61616);
    assert_int_equal(config->group.hops, 3);
    assert_int_equal(config->group.receive_buffer, 8192);
    assert_int_equal(config->group.nstart, 4);
    assert_int_equal(config->group.ack_timeout_us, 250000);
    assert_int_equal(config->group.probing_rate, 100);
    assert_int_equal(config->group.probing_burst, 2000);
    assert_int_equal(config->group.frame_size, 80);
    assert_int_equal(config->group.prefix_count, 3);
    assert_int_equal(config->group.prefixes[0].addr.ip[1], 1);
    assert_int_equal(config->group.prefixes[0].bits, 48);
    assert_int_equal(config->group.prefixes[1].addr.ip[0], 10);
    assert_int_equal(config->group.prefixes[1].bits, 8);
    assert_int_equal(config->group.prefixes[2].bits, 32);
    assert_int_equal(config->group.send_budget_count, 2);
    assert_string_equal(config->group.send_budgets[0].interface, "eth1");
    assert_int_equal(config->group.send_budgets[0].requests, 8);
    assert_int_equal(config->group.send_budgets[0].seconds, 9);
    assert_string_equal(config->group.send_budgets[1].interface, "wpan0");
    assert_int_equal(config->limits.exchanges, 5);
    assert_int_equal(config->limits.exchanges_per_client, 2);
    assert_int_equal(config->limits.exchange_memory, 100000);
    assert_int_equal(config->limits.total_memory, 200000);
    assert_int_equal(config->limits.request_body, 0);
    assert_int_equal(config->limits.answer, 2048);
    assert_int_equal(config->limits.stream_queue, 8192);
    assert_int_equal(config->limits.cache, 4096);
    assert_true(config->mappings[0].cache);
}

static void check_coap(const struct cg_config *config) {
    static const struct {
        const char *text;
        enum cg_scheme scheme;
        bool loopback, insecure;
    } listeners[] = {
        {"coap://127.0.0.1:5683", CG_SCHEME_COAP, true, false},
        {"coap://[2001:db8::1]:61616", CG_SCHEME_COAP, false, true},
        {"coaps://[fe80::1%2]:5684", CG_SCHEME_COAPS, false, false},
        {"coap+tcp://127.0.0.1:5683", CG_SCHEME_COAP_TCP, true, false},
    };
    assert_int_equal(config->coap.listen_count, 4);
    for (size_t i = 0; i < 4; i++) {
        const struct cg_coap_listen *listen = &config->coap.listen[i];
        assert_string_equal(listen->listen.text, listeners[i].text);
        assert_int_equal(listen->scheme, listeners[i].scheme);
        assert_int_equal(listen->listen.loopback, listeners[i].loopback);
        assert_int_equal(listen->listen.insecure, listeners[i].insecure);
        assert_int_equal(cg_coap_is_by_datagrams(listen), listeners[i].scheme != CG_SCHEME_COAP_TCP);
        assert_int_equal(cg_coap_is_secured(listen), listeners[i].scheme == CG_SCHEME_COAPS);
        assert_false(listen->is_default);
    }
    assert_int_equal(config->coap.listen[2].listen.addr.scope, 2);
    assert_int_equal(config->coap.all_nodes_count, 2);
    assert_string_equal(config->coap.all_nodes[1], "a.very-long-name.of-it");
    assert_string_equal(config->coap.tls.certificate, "/etc/castgate/gw.crt");
    assert_int_equal(config->options.uri_path_abbrev, 65001);
    assert_int_equal(config->options.proxy_cri, 65003);
    assert_int_equal(config->options.proxy_scheme_number, 65007);
}

static void check_floor3(const struct cg_config *config, const struct cg_mapping *m) {
    assert_string_equal(m->name, "floor3");
    assert_string_equal(m->path, "/b/floor3");
    assert_string_equal(m->host, "gw.example");
    assert_string_equal(m->targets[0].uri, "coap://[ff35:30:2001:db8::23]/light?x=~");
    assert_true(cg_slice_is(m->targets[0].path, "/light"));
    assert_true(cg_slice_is(m->targets[0].query, "x=~"));
    assert_string_equal(m->targets[0].interface, "eth1");
    assert_int_equal(m->targets[0].hops, 7);
    assert_int_equal(m->methods, CG_METHOD_BIT(CG_GET) | CG_METHOD_BIT(CG_PUT) | CG_METHOD_BIT(CG_IPATCH));
    assert_true(m->aggregate);
    assert_true(m->unsafe_methods && m->has_timeout && m->complete && m->repair_unicast && !m->forward);
    assert_true(m->leisure == 0.1);
    assert_int_equal(m->timeout_us, 2500000);
    assert_int_equal(m->max_timeout_us, 100000001);
    assert_int_equal(m->finish.rule, CG_FINISH_QUORUM);
    assert_true(m->finish.quorum == 0.9);
    assert_int_equal(m->member_count, 3);
    assert_string_equal(m->members[0].name, "127.1.0.1:5683");
    assert_string_equal(m->members[1].name, "lamp-2");
    assert_int_equal(m->members[1].addr.scope, 2);
    assert_int_equal(m->members[1].addr.port, 5683);
    assert_string_equal(m->members[2].name, "127.1.0.3:61616");
    assert_false(m->members[0].is_unicast_only || m->members[1].is_unicast_only);
    assert_true(m->members[2].is_unicast_only);
    assert_true(m->repair_large_requests);
    assert_int_equal(m->block_size, 256);
    assert_int_equal(m->max_answers, 12);
    assert_int_equal(m->requests_per_minute, 60);
    assert_int_equal(m->grant_count, 3);
    assert_ptr_equal(m->grants[0].client, &config->clients[0]);
    assert_int_equal(m->grants[0].methods, m->methods);
    assert_int_equal(m->grants[1].methods, CG_METHOD_BIT(CG_PUT));
    assert_null(m->grants[2].client);
    assert_int_equal(m->grants[2].methods, CG_METHOD_BIT(CG_GET));
}

static void check_chain(const struct cg_mapping *m) {
    assert_true(cg_mapping_has_hop(m));
    const struct cg_target *far = &m->targets[0], *proxied = &m->targets[1];
    assert_string_equal(far->uri, "coap://192.0.2.1/far");
    assert_null(far->group_uri);
    assert_true(cg_slice_is(far->path, "/far"));
    assert_int_equal(far->next_hop.round_trip_s, 3);
    assert_int_equal(far->next_hop.addr.port, 5683);
    assert_string_equal(proxied->uri, "coap://[ff35::23]/base");
    assert_string_equal(proxied->next_hop.uri, "coap://[2001:db8::1]/");
    assert_int_equal(proxied->next_hop.round_trip_s, 1);
    assert_string_equal(m->targets[2].next_hop.origin, "coaps+tcp://192.0.2.2:5684");
    assert_string_equal(m->targets[2].next_hop.credentials->ca, "/etc/ca.pem");
}

static void check_whole(const struct cg_config *config) {
    uint8_t hash[32];
    const struct cg_pass *pass;
    for (size_t i = 0; i < sizeof hash; i++)
        hash[i] = (uint8_t)(0x01234567u >> (24 - 8 * (i % 4)) | (i % 8 > 3 ? 0x88 : 0));
    check_sections(config);
    check_coap(config);
    assert_ptr_equal(cg_config_client_by_token(config, hash, &pass), &config->clients[0]);
    assert_ptr_equal(cg_config_client_by_certificate(config, hash, &pass), &config->clients[1]);
    assert_string_equal(config->clients[1].name, "b-2");
    assert_int_equal(config->mapping_count, 4);
    check_chain(&config->mappings[3]);
    check_floor3(config, &config->mappings[0]);
    const struct cg_mapping *both = &config->mappings[1];
    assert_string_equal(both->path, "");
    assert_int_equal(both->target_count, 2);
    assert_string_equal(both->targets[0].interface, "eth0");
    assert_string_equal(both->targets[1].interface, "eth2");
    assert_int_equal(both->targets[1].group.port, 61616);
    assert_int_equal(both->targets[1].hops, 3);
    assert_int_equal(both->finish.rule, CG_FINISH_COUNT);
    assert_int_equal(both->finish.count, 3);
    assert_true(both->anonymise);
    assert_int_equal(config->mappings[0].record_payloads, CG_RECORD_PAYLOADS);
    assert_int_equal(both->record_payloads, CG_RECORD_LENGTHS);
    assert_int_equal(config->mappings[2].record_payloads, CG_RECORD_AS_SETTINGS);
    assert_int_equal(both->stand_in, CG_STAND_IN_MEMBERS); /* whoever hides them stands in for them */
    assert_int_equal(config->mappings[2].stand_in, CG_STAND_IN_MEMBERS);
    assert_false(config->mappings[2].anonymise);
    struct cg_slice rest;
    assert_ptr_equal(cg_forward_find(config, cg_slice_str("coap://224.0.1.188/a/x"), &rest), &config->mappings[2]);
    assert_true(cg_slice_is(rest, "/x"));
    assert_ptr_equal(cg_mapping_find(config, cg_slice_str("gw.example"), cg_slice_str("/b/floor3/x"), &rest),
                     &config->mappings[0]);
    assert_ptr_equal(cg_mapping_find(config, CG_SLICE_NONE, cg_slice_str("/b/floor3/x"), &rest), both);
}

static void every_key_has_its_effect(void **state) {
    (void)state;
    const struct cg_config *config = settings_of(whole);
    check_whole(config);
}

/* load(print(load(x))) == load(x): the same values, and the same text from then on. */
static void what_is_printed_can_be_loaded(void **state) {
    (void)state;
    const struct cg_config *config = settings_of(whole);
    struct cg_config *again;
    struct cg_buf once, twice;
    struct cg_mistakes mistakes;
    cg_buf_init(&once, 0);
    cg_buf_init(&twice, 0);
    cg_mistakes_init(&mistakes);
    cg_settings_print(&once, config);
    assert_int_equal(cg_settings_parse(cg_buf_slice(&once), "/elsewhere", &again, &mistakes), CG_OK);
    check_whole(again);
    cg_settings_print(&twice, again);
    assert_true(cg_slice_equal(cg_buf_slice(&once), cg_buf_slice(&twice)));
    cg_config_unref(again);
    cg_mistakes_fini(&mistakes);
    cg_buf_fini(&once);
    cg_buf_fini(&twice);
}

/* R42: both families, every scope. */
static void groups_of_both_families_and_all_scopes_R42(void **state) {
    (void)state;
    static const struct {
        const char *uri, *address;
        uint16_t port;
    } table[] = {
        {"coap://224.0.1.187", "224.0.1.187", 5683},
        {"coap://239.255.0.1:61616/a", "239.255.0.1", 61616},
        {"coap://[ff02::fd]", "ff02::fd", 5683},
        {"coap://[ff03::fd]:5685", "ff03::fd", 5685},
        {"coap://[ff04::fd]/x", "ff04::fd", 5683},
        {"coap://[ff05::fd]:5683/?q", "ff05::fd", 5683},
        {"coap://[ff0e::fd]", "ff0e::fd", 5683},
        {"coap://[ff35:30:2001:db8::23]", "ff35:30:2001:db8::23", 5683},
        {"coap://224.0.1.187:/", "224.0.1.187", CG_COAP_PORT},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char document[256], ip[CG_ADDR_TEXT_MAX];
        snprintf(document, sizeof document, "{'mappings':[{'name':'m','security':'none','group':'%s'}]}", table[i].uri);
        const struct cg_config *config = settings_of(document);
        const struct cg_addr *group = &config->mappings[0].targets[0].group;
        cg_addr_emit_ip(group, ip);
        assert_string_equal(ip, table[i].address);
        assert_int_equal(group->port, table[i].port);
    }
}

static void the_example_loads(void **state) {
    (void)state;
    struct cg_config *config;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    assert_int_equal(cg_settings_load(CONF "castgate.json", &config, &mistakes), CG_OK);
    assert_int_equal(config->mapping_count, 0); /* a fresh installation asks nobody until it is told to */
    cg_config_unref(config);
    cg_mistakes_fini(&mistakes);
}

/* A file of that content in a folder of its own; both are for the caller to remove. */
static void write_file(char folder[64], char file[128], const void *data, size_t len) {
    strcpy(folder, "/tmp/castgate-settings-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(file, 128, "%s/gw.json", folder);
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(data, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

static void file_names_are_relative_to_the_file(void **state) {
    (void)state;
    static const char text[] = "{\"state\": \"here\"}";
    char folder[64], file[128], expected[128];
    struct cg_config *config;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    write_file(folder, file, text, sizeof text - 1);
    assert_int_equal(cg_settings_load(file, &config, &mistakes), CG_OK);
    char *real = realpath(folder, NULL);
    snprintf(expected, sizeof expected, "%s/here", real);
    assert_string_equal(config->state, expected);
    free(real);
    cg_config_unref(config);
    cg_mistakes_fini(&mistakes);
    unlink(file);
    rmdir(folder);
}

static void check_unreadable(const char *file, const char *message) {
    struct cg_config *config;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    assert_int_equal(cg_settings_load(file, &config, &mistakes), CG_E_FORMAT);
    assert_null(config);
    assert_int_equal(mistakes.count, 1);
    assert_string_equal(mistakes.first->pointer, "");
    assert_string_equal(mistakes.first->message, message);
    cg_mistakes_fini(&mistakes);
}

static void files_that_cannot_be_read(void **state) {
    (void)state;
    char folder[64], file[128];
    size_t len = CG_SETTINGS_FILE_MAX + 1;
    char *spaces = malloc(len);
    assert_non_null(spaces);
    memset(spaces, ' ', len);
    check_unreadable("/nonexistent/gw.json", "cannot be read: No such file or directory");
    check_unreadable("/", "is not a regular file");
    check_unreadable("/dev/zero", "is not a regular file");
    write_file(folder, file, spaces, len);
    check_unreadable(file, "is larger than 16 MiB");
    unlink(file);
    rmdir(folder);
    free(spaces);
}

static void a_byte_order_mark_is_no_mistake(void **state) {
    (void)state;
    const struct cg_config *config = settings_of("\xef\xbb\xbf{'sequence_rate':7}");
    assert_int_equal(config->sequence_rate, 7);
    struct cg_config *none;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    assert_int_equal(parse_quoted("\xef\xbb\xbf\xef\xbb\xbf{}", &none, &mistakes), CG_E_FORMAT); /* one, at the start */
    assert_int_equal(parse_quoted("\xef\xbb\xbf", &none, &mistakes), CG_E_FORMAT);
    cg_mistakes_fini(&mistakes);
}

static void interfaces_have_names_and_alternative_ones(void **state) {
    (void)state;
    char name[128];
    memset(name, 'e', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    char document[256];
    snprintf(document, sizeof document, "{'group':{'interface':'%s'}}", name);
    assert_string_equal(settings_of(document)->group.interface, name);
}

static void silence_and_content_types(void **state) {
    (void)state;
    const struct cg_config *config = settings_of(MAPPING(""));
    assert_int_equal(config->mappings[0].silence, CG_SILENCE_IS_AN_ERROR);
    assert_null(config->mappings[0].default_content_type);
    config = settings_of(MAPPING(",'silence':'204','default_content_type':'text/plain'"));
    assert_int_equal(config->mappings[0].silence, CG_SILENCE_IS_FINE);
    assert_string_equal(config->mappings[0].default_content_type, "text/plain");
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_settings_print(&text, config);
    cg_buf_put_u8(&text, 0);
    assert_non_null(strstr((const char *)text.data, "\"silence\": \"204\""));
    assert_non_null(strstr((const char *)text.data, "\"default_content_type\": \"text/plain\""));
    cg_buf_fini(&text);
    config = settings_of(MAPPING(",'silence':'504','default_content_type':null"));
    assert_int_equal(config->mappings[0].silence, CG_SILENCE_IS_AN_ERROR);
}

/* Nobody writes to it: opening it in the ordinary way would wait for ever. */
static void a_fifo_is_no_settings_file(void **state) {
    (void)state;
    char folder[64], file[128];
    write_file(folder, file, "", 0);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkfifo(file, 0600), 0);
    check_unreadable(file, "is not a regular file");
    unlink(file);
    rmdir(folder);
}

static void warnings_of(const char *document, struct cg_mistakes *warnings) {
    const struct cg_config *config = settings_of(document);
    cg_mistakes_init(warnings);
    cg_settings_warnings(config, warnings);
}

/* R10: plain multicast needs protection below, and that is said. */
static void warnings_R10(void **state) {
    (void)state;
    static const struct {
        const char *document, *pointer, *message;
    } table[] = {
        {MAPPING(",'clients':['anonymous']"), "/mappings/0/security",
         "m has no protection: anybody on its network can read and forge its requests and answers; protection below is "
         "needed"},
        {MAPPING(",'clients':['anonymous'],'unsafe_methods':true"), "/mappings/0/security",
         "forge its commands and answers"},
        {"{'http':{'listen':[{'address':'0.0.0.0:80','insecure':true}]}}", "/http/listen/0",
         "can be reached by others, without TLS, and anonymous clients are taken"},
        {"{'admin':{'listen':[{'address':'0.0.0.0:80','insecure':true}]}}", "/admin/listen/0",
         "can be reached by others, without TLS: tokens can be read on the way"},
        {"{'clients':{'d':{'certificate_sha256':'" HASH "'}}}", "/clients/d/certificate_sha256",
         "without \"client_ca\""},
        {"{'coap':{'listen':[{'address':'coap+tcp://0.0.0.0','insecure':true}]}}", "/coap/listen/0",
         "can be reached by others, without TLS, and anonymous clients are taken"},
        {"{'coap':{'listen':[{'address':'coap://0.0.0.0','insecure':true}]}}", "/coap/listen/0",
         "can be reached by others, without DTLS, and anonymous clients are taken"},
        {"{'coap':{'listen':[{'address':'coaps://0.0.0.0','insecure':true}],'tls':{'certificate':'c','key':'k'}}}",
         "/coap/listen/0", "can be reached by others, and anonymous clients are taken"},
        {"{'coap':{'listen':[],'tls':{'certificate':'c','key':'k','client_ca':'a'}},'clients':{'d':"
         "{'certificate_sha256':'" HASH "'}}}",
         "/clients/d/certificate_sha256", "without \"client_ca\""},
    };
    struct cg_mistakes warnings;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        warnings_of(table[i].document, &warnings);
        assert_int_equal(warnings.count, 1);
        assert_string_equal(warnings.first->pointer, table[i].pointer);
        assert_non_null(strstr(warnings.first->message, table[i].message));
        cg_mistakes_fini(&warnings);
    }
    warnings_of(MAPPING(""), &warnings);
    assert_int_equal(warnings.count, 2);
    assert_string_equal(warnings.last->pointer, "/mappings/0/clients");
    cg_mistakes_fini(&warnings);
    warnings_of("{}", &warnings);
    assert_int_equal(warnings.count, 0);
    cg_mistakes_fini(&warnings);
}

static size_t hasty_warnings(const char *document, struct cg_mistakes *warnings) {
    size_t count = 0;
    warnings_of(document, warnings);
    for (const struct cg_mistake *it = warnings->first; it != NULL; it = it->next)
        count += strstr(it->message, "leisure") != NULL;
    return count;
}

static void a_timeout_below_leisure_is_warned_of(void **state) {
    (void)state;
    static const struct {
        const char *document;
        size_t count;
    } table[] = {
        {MAPPING(",'timeout':4.9"), 1},
        {MAPPING(",'timeout':5"), 0},
        {MAPPING(",'timeout':2,'leisure':1"), 0},
        {MAPPING(",'timeout':2,'leisure':2.5"), 1},
        {MAPPING(""), 0}, /* the client says how long */
        {MAPPING(",'timeout':2,'members':['127.1.0.1'],'membership':'complete'"), 0},
        {MAPPING(",'timeout':2,'members':['127.1.0.1'],'membership':'open'"), 1},
        {"{'mappings':[{'name':'m','group':'coap://224.0.1.187','security':'relay','timeout':19}]}", 1},
    };
    struct cg_mistakes warnings;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        assert_int_equal(hasty_warnings(table[i].document, &warnings), table[i].count);
        cg_mistakes_fini(&warnings);
    }
    assert_int_equal(hasty_warnings(table[0].document, &warnings), 1);
    assert_string_equal(warnings.first->pointer, "/mappings/0/timeout");
    assert_non_null(strstr(warnings.first->message, "m collects for 4.9 s, but its members may take 5 s"));
    cg_mistakes_fini(&warnings);
}

static void a_timeout_that_leaves_a_next_hop_nothing_is_warned_of(void **state) {
    (void)state;
    static const char form[] = "{'mappings':[{'name':'m','security':'none','leisure':1,'clients':['anonymous'],%s"
                               "'targets':[{'next_hop':'coap://192.0.2.1/h','round_trip':5}]}]}";
    static const struct {
        const char *timeout;
        size_t count;
    } table[] = {{"'timeout':5.9,", 2}, {"'timeout':6,", 1}, {"", 1} /* the client says how long */};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char document[512];
        struct cg_mistakes warnings;
        snprintf(document, sizeof document, form, table[i].timeout);
        warnings_of(document, &warnings);
        assert_int_equal(warnings.count, table[i].count);
        if (i == 0) {
            assert_string_equal(warnings.last->pointer, "/mappings/0/timeout");
            assert_non_null(strstr(warnings.last->message, "nothing is left for it"));
        }
        cg_mistakes_fini(&warnings);
    }
}

/* What is beyond them they warn of themselves. */
static void mappings_by_next_hops_are_warned_of_less(void **state) {
    (void)state;
    static const char form[] =
        "{'credentials':{'far':{'psk':{'identity':'n','key_file':'k'}}},'mappings':[{'name':'m','security':"
        "'none','timeout':4,'clients':['anonymous'],'targets':[%s]}]}";
    static const struct {
        const char *targets;
        const char *first; /* NULL: no warning */
    } table[] = {
        {"{'next_hop':'coaps://192.0.2.1/h','credentials':'far'}", NULL},
        {"{'next_hop':'coap://192.0.2.1/h'}", "/mappings/0/security"},
        {"{'next_hop':'coaps://192.0.2.1/h','credentials':'far'},{'group':'coap://224.0.1.187'}",
         "/mappings/0/timeout"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char document[512];
        struct cg_mistakes warnings;
        snprintf(document, sizeof document, form, table[i].targets);
        warnings_of(document, &warnings);
        assert_int_equal(warnings.count, i); /* the last has too little time, too */
        if (table[i].first != NULL) assert_string_equal(warnings.first->pointer, table[i].first);
        cg_mistakes_fini(&warnings);
    }
}

static void hasty_mappings_are_listed_and_counted(void **state) {
    (void)state;
    char document[2048] = "{'mappings':[";
    for (int i = 0; i < 12; i++) {
        size_t len = strlen(document);
        snprintf(document + len, sizeof document - len,
                 "%s{'name':'m%d','group':'coap://224.0.1.187','security':'none','timeout':2}", i == 0 ? "" : ",", i);
    }
    strcat(document, "]}");
    struct cg_mistakes warnings;
    assert_int_equal(hasty_warnings(document, &warnings), 6);
    const struct cg_mistake *last = warnings.first;
    for (int i = 0; i < 5; i++) last = last->next;
    assert_string_equal(last->pointer, "/mappings");
    assert_string_equal(last->message, "7 more have a \"timeout\" below their \"leisure\"");
    cg_mistakes_fini(&warnings);
}

/* ---- the schema ---- */

struct schema {
    json_t *root;
    json_t *keys; /* "/http listen": the key's schema */
};

static const json_t *follow(const struct schema *schema, const json_t *node) {
    const char *reference = json_string_value(json_object_get(node, "$ref"));
    if (reference == NULL) return node;
    assert_int_equal(strncmp(reference, "#/$defs/", 8), 0);
    const json_t *found = json_object_get(json_object_get(schema->root, "$defs"), reference + 8);
    assert_non_null(found);
    return found;
}

/* Collects all keys below; "*" stands for items and for members of any name. */
static void walk(const struct schema *schema, const char *pointer, const json_t *unfollowed) {
    const json_t *node = follow(schema, unfollowed);
    char child[256];
    const char *key;
    json_t *value;
    size_t i;
    json_object_foreach(json_object_get(node, "properties"), key, value) {
        snprintf(child, sizeof child, "%s %s", pointer, key);
        json_object_set(schema->keys, child, value);
        snprintf(child, sizeof child, "%s/%s", pointer, key);
        walk(schema, child, value);
    }
    if (json_object_get(node, "properties") != NULL) {
        assert_true(json_is_false(json_object_get(node, "additionalProperties")));
    } else if (json_is_object(json_object_get(node, "additionalProperties"))) {
        snprintf(child, sizeof child, "%s/*", pointer);
        walk(schema, child, json_object_get(node, "additionalProperties"));
    }
    if (json_object_get(node, "items") != NULL) {
        snprintf(child, sizeof child, "%s/*", pointer);
        walk(schema, child, json_object_get(node, "items"));
    }
    json_array_foreach(json_object_get(node, "oneOf"), i, value) walk(schema, pointer, value);
}

static void the_schema_has_the_keys_that_are_known(void **state) {
    (void)state;
    json_error_t error;
    struct schema schema = {.root = json_load_file(CONF "castgate.schema.json", JSON_REJECT_DUPLICATES, &error)};
    assert_non_null(schema.root);
    schema.keys = json_object();
    walk(&schema, "", schema.root);
    size_t known = 0;
    const char *object, *key;
    for (; cg_settings_key(known, &object, &key); known++) {
        char wanted[256];
        snprintf(wanted, sizeof wanted, "%s %s", object, key);
        if (json_object_get(schema.keys, wanted) == NULL) fail_msg("the schema lacks: %s", wanted);
    }
    assert_true(known > 60);
    assert_int_equal(json_object_size(schema.keys), known);
    json_decref(schema.keys);
    json_decref(schema.root);
}

/* Compares each "default" with what stands there in `printed`, where that is not told by other keys. */
static size_t compare_defaults(const struct schema *schema, const json_t *node, const json_t *printed) {
    const char *key;
    json_t *value;
    size_t compared = 0;
    json_object_foreach(json_object_get(follow(schema, node), "properties"), key, value) {
        const json_t *expected = json_object_get(value, "default"), *got = json_object_get(printed, key);
        if (got == NULL) continue;
        if (expected != NULL && !json_equal(expected, got)) fail_msg("another default: %s", key);
        compared += expected != NULL;
        compared += compare_defaults(schema, value, got);
    }
    return compared;
}

static void the_schema_has_the_defaults_that_are_used(void **state) {
    (void)state;
    json_error_t error;
    struct schema schema = {.root = json_load_file(CONF "castgate.schema.json", JSON_REJECT_DUPLICATES, &error)};
    assert_non_null(schema.root);
    const struct cg_config *config = settings_of(MAPPING(""));
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_settings_print(&text, config);
    json_t *printed = json_loadb((const char *)text.data, text.len, 0, &error);
    assert_non_null(printed);
    const json_t *mapping = json_array_get(json_object_get(printed, "mappings"), 0);
    const json_t *properties = json_object_get(schema.root, "properties");
    const json_t *of_mapping = json_object_get(json_object_get(properties, "mappings"), "items");
    assert_true(compare_defaults(&schema, of_mapping, mapping) > 12);
    json_object_set_new(printed, "mappings", json_array());
    assert_true(compare_defaults(&schema, schema.root, printed) > 25);
    json_decref(printed);
    json_decref(schema.root);
    cg_buf_fini(&text);
}

/* What is inside a protected message is not known, and outside it is POST or FETCH. */
static void methods_bind_nothing_where_a_mapping_relays(void **state) {
    (void)state;
    const struct cg_config *config =
        settings_of("{'clients':{'c':{'token_sha256':'" TOKEN_DIGEST "'}},'mappings':[{'name':'m',"
                    "'group':'coap://224.0.1.187','security':'relay','methods':['GET'],"
                    "'clients':[{'name':'c','methods':['PUT']},'anonymous']}]}");
    const struct cg_mapping *m = cg_mapping_by_name(config, "m");
    assert_int_equal(m->methods, CG_METHOD_BIT(CG_POST) | CG_METHOD_BIT(CG_FETCH));
    assert_int_equal(m->grant_count, 2);
    for (size_t i = 0; i < 2; i++) assert_int_equal(m->grants[i].methods, m->methods);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        settings_test(methods_bind_nothing_where_a_mapping_relays),
        settings_test(an_empty_file_has_all_defaults),
        settings_test(a_short_mapping_has_all_defaults_R58),
        settings_test(every_key_has_its_effect),
        settings_test(what_is_printed_can_be_loaded),
        settings_test(groups_of_both_families_and_all_scopes_R42),
        settings_test(the_example_loads),
        settings_test(file_names_are_relative_to_the_file),
        settings_test(files_that_cannot_be_read),
        settings_test(silence_and_content_types),
        settings_test(a_fifo_is_no_settings_file),
        settings_test(a_byte_order_mark_is_no_mistake),
        settings_test(interfaces_have_names_and_alternative_ones),
        settings_test(warnings_R10),
        settings_test(a_timeout_below_leisure_is_warned_of),
        settings_test(a_timeout_that_leaves_a_next_hop_nothing_is_warned_of),
        settings_test(mappings_by_next_hops_are_warned_of_less),
        settings_test(hasty_mappings_are_listed_and_counted),
        settings_test(the_schema_has_the_keys_that_are_known),
        settings_test(the_schema_has_the_defaults_that_are_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
