// Where nothing is yet: says so, and does the first step.
import { html } from "../vendor/preact.js";

// action: a link or button
export const Empty = ({ title, children, action }) => html`<section class="empty"><h2>${title}</h2><p>${children}</p>${action && html`<div class="actions">${action}</div>`}</section>`;

// What a screen shows of useData where there is no data: that it loads, or why it cannot. title: of a screen that has nothing
// else to show meanwhile.
export function Waiting({ title, loading, error, onAgain }) {
    const said = error
        ? html`<section class="empty" role="alert"><h2>This cannot be shown now</h2><p>${error.message}</p>
            <div class="actions"><button type="button" onClick=${onAgain}>Try again</button></div></section>`
        : loading && html`<p class="faint waiting" role="status">Loading …</p>`;
    return title ? html`<div><header class="head"><h1>${title}</h1></header>${said}</div>` : said;
}
