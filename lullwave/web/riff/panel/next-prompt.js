/** "What do you want to hear next?": a box, a dice and suggestions. */

import { emit } from '../../shared/emit.js';
import { promptOf, MAX_PROMPT } from '../music/riff-settings.js';

const SHOWN = 5;

/**
 * @param {HTMLElement} el @param {import('../wording.js').Translator} t
 * @param {readonly string[]} prompts to choose from @param {() => number} random in 0..1
 */
export function NextPrompt(el, t, prompts, random) {
  const input = el.querySelector('.input');
  const dice = el.querySelector('.dice');
  const told = el.querySelector('.told');
  let offered = [];
  input.maxLength = MAX_PROMPT;

  el.querySelector('.form').addEventListener('submit', (event) => {
    event.preventDefault();
    const prompt = promptOf(input.value);
    if (!prompt) {
      told.textContent = t('riff.empty-prompt');
      input.focus();
      return;
    }
    input.value = '';
    send(prompt);
  });
  dice.addEventListener('click', () => {
    dice.classList.remove('-rolled');
    void dice.offsetWidth; // begins the animation again
    dice.classList.add('-rolled');
    send(another(prompts, [], random));
  });
  offer();

  function send(prompt) {
    told.textContent = t('riff.asked', { prompt });
    emit(el, 'ask-prompt', prompt);
  }

  function offer() {
    offered = [];
    while (offered.length < SHOWN) offered.push(another(prompts, offered, random));
    el.querySelector('.ideas').replaceChildren(...offered.map(idea));
  }

  function idea(prompt) {
    const item = document.createElement('li');
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'idea pill';
    button.textContent = prompt;
    button.addEventListener('click', () => {
      send(button.textContent);
      const next = another(prompts, offered, random);
      offered = offered.map((one) => (one === button.textContent ? next : one));
      button.textContent = next;
    });
    item.append(button);
    return item;
  }
}

/** One of `prompts` that is not among `shown`. @param {readonly string[]} prompts @param {string[]} shown @param {() => number} random */
export function another(prompts, shown, random) {
  const left = prompts.filter((prompt) => !shown.includes(prompt));
  return left[Math.floor(random() * left.length)];
}
