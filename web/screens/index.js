// Every screen: one row. `path` is matched against the address (#/mappings/floor3 fits "mappings/:name"), the first that
// fits counts; what is named in it and the address's query are the component's properties `params` and `query`. `title` is
// the page's; with `nav` it has a place in the navigation, by `place`. A module is fetched when it is first shown; its
// default export is the component.
export const screens = [
    { path: "", title: "Overview", nav: "Overview", icon: "overview", place: 10, load: () => import("./overview.js") },
    { path: "history", title: "History", nav: "History", icon: "history", place: 90, load: () => import("./history.js") },
    { path: "history/audit", title: "Audit", under: "history", load: () => import("./audit.js") },
    { path: "history/:number", title: "Revision", under: "history", load: () => import("./revision.js") },
    { path: "system", title: "System", nav: "System", icon: "system", place: 100, load: () => import("./system.js") },
    { path: "system/settings", title: "Settings", under: "system", load: () => import("./settings.js") },
    { path: "mappings", title: "Mappings", nav: "Mappings", icon: "mappings", place: 20, load: () => import("./mappings.js") },
    { path: "mappings/:name", title: "Mapping", under: "mappings", load: () => import("./mapping.js") },
    { path: "exchanges", title: "Exchanges", nav: "Exchanges", icon: "exchanges", place: 60, load: () => import("./exchanges.js") },
    { path: "exchanges/:id", title: "Exchange", under: "exchanges", load: () => import("./exchange.js") },
    { path: "clients", title: "Clients", nav: "Clients", icon: "clients", place: 50, load: () => import("./clients.js") },
    { path: "clients/new", title: "New client", under: "clients", load: () => import("./client.js") },
    { path: "clients/:name", title: "Client", under: "clients", load: () => import("./client.js") },
    { path: "security-groups", title: "Security groups", nav: "Security groups", icon: "security", place: 40, load: () => import("./security-groups.js") },
    { path: "security-groups/new", title: "New security group", under: "security-groups", load: () => import("./security-group-new.js") },
    { path: "security-groups/:name", title: "Security group", under: "security-groups", load: () => import("./security-group.js") },
    { path: "members", title: "Groups and members", nav: "Members", icon: "members", place: 30, load: () => import("./members.js") },
    { path: "members/:name", title: "Member", under: "members", load: () => import("./member.js") },
    { path: "discovery", title: "Discovery", nav: "Discovery", icon: "discovery", place: 70, load: () => import("./discoveries.js") },
    { path: "discovery/:id", title: "Discovery", under: "discovery", load: () => import("./discovery.js") },
    { path: "reactions", title: "Reactions", nav: "Reactions", icon: "reactions", place: 75, load: () => import("./reactions.js") },
    { path: "reactions/new", title: "New reaction", under: "reactions", load: () => import("./reaction.js") },
    { path: "reactions/:name", title: "Reaction", under: "reactions", load: () => import("./reaction.js") },
];
