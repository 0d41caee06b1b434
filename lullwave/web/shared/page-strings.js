/** The words of this page in the language that was chosen, or in the browser's; they load while the other scripts still do. */

import { browserStorage, Preferences } from './preferences.js';
import { languageOf, loadStrings } from './strings.js';

/** @type {ReturnType<typeof loadStrings>} */
export const strings = loadStrings(Preferences(browserStorage()).read('language', languageOf(navigator.languages ?? [])));
