import { mount, type Component } from 'svelte'
import './app.css'
import { chosen, known, speak } from './lib/words/index.svelte.ts'

// One file for all addresses. A customer's page needs neither account nor session, so it asks for none.
const asked = known(new URLSearchParams(location.search).get('language'))
const caller = location.pathname === '/call'

async function page(): Promise<Component> {
  return caller ? (await import('./pages/Call.svelte')).default : (await import('./App.svelte')).default
}

// No await out here: the parts that are loaded import what this file is built into, and would wait for it.
void Promise.all([page(), speak(asked ?? chosen())]).then(([Page]) => mount(Page, { target: document.body }))
