// What a talk may come to need, and its first sight does not: loaded right behind the page, long before a key is pressed.

export { default as HangUp } from './HangUp.svelte'
export { default as Picker } from './Picker.svelte'
export { default as WrapUp } from './WrapUp.svelte'
