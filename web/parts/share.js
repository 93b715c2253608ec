// How much of something is used, as a bar and in words.
import { html } from "../vendor/preact.js";

// share: 0 to 1; words: what is said beside it
export const Share = ({ share, words }) => html`<span class="share">
    <span class="share-bar" aria-hidden="true"><span class=${share > 0.9 ? "nearly" : ""} style=${{ width: `${Math.min(100, Math.max(share > 0 ? 1 : 0, share * 100))}%` }}></span></span>
    <span class="num">${words}</span>
</span>`;
