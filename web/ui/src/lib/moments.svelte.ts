// The service's moments as whoever looks reads them: by its clock, in its zone, in their language. Pages ask here.

import { app } from './app.svelte.ts'
import * as format from './format.ts'
import { language } from './words/index.svelte.ts'

const reader = (): format.Reader => ({ language: language(), zone: app.zone })

export const when = (moment: string): string => format.when(moment, app.now, reader())
export const exactly = (moment: string): string => format.exactly(moment, reader())

/** today and this hour, and what the clock on the wall shows. */
export const today = (): string => format.date(app.now, app.zone)
export const thisHour = (): number => format.hour(app.now, app.zone)
export const dial = (): string => format.dial(app.now, app.zone)
