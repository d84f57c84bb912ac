// Tables are sorted by trouble, and nothing moves under the cursor: while somebody points at a table its rows keep their
// places; those who came stand at the end, and the place of one who left stays until they look away.

/** kept is the order to show: what was shown, then what is new. */
export function kept(shown: readonly string[], wanted: readonly string[]): string[] {
  const before = new Set(shown)
  return [...shown, ...wanted.filter((id) => !before.has(id))]
}

/** by sorts by numbers, the largest first, where the first that differs decides; ids make it the same every time. */
export function by<T>(rows: readonly T[], id: (row: T) => string, ...trouble: ((row: T) => number)[]): string[] {
  return [...rows]
    .sort((a, b) => {
      for (const t of trouble) {
        const difference = t(b) - t(a)
        if (difference !== 0) return difference
      }
      return id(a) < id(b) ? -1 : 1
    })
    .map(id)
}
