// Tables as files for a spreadsheet.

/** csv is a table as RFC 4180 has it, with a byte order mark: without one Excel reads Chinese as noise. */
export function csv(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  return '\ufeff' + [head, ...rows].map((row) => row.map(cell).join(',')).join('\r\n') + '\r\n'
}

// A text that a spreadsheet would take for a formula is given a quote before it: it may have come from a caller.
function cell(value: string | number): string {
  let text = String(value)
  if (typeof value === 'string' && /^[=+\-@\t\r]/.test(text)) text = `'${text}`
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** save has the browser keep a text as a file. */
export function save(name: string, text: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }))
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 1000)
}
