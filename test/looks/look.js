// Says what is wrong with the page as it is.
async function look(english) {
  const out = []

  // What is wider than the page, or than a place that neither scrolls nor cuts with dots.
  if (document.documentElement.scrollWidth > innerWidth + 1) out.push(`overflows: the page, ${document.documentElement.scrollWidth} of ${innerWidth}`)
  for (const e of document.querySelectorAll('body *')) {
    const style = getComputedStyle(e)
    if (e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1 && style.overflowX === 'visible' && style.display !== 'inline' && !e.closest('svg') && !e.closest('.hidden')) {
      out.push(`overflows: ${e.tagName.toLowerCase()}.${e.className} "${e.textContent.trim().slice(0, 30)}" ${e.scrollWidth} of ${e.clientWidth}`)
    }
  }

  // Chinese in the English page that is none of the operator's own names.
  const own = /客服|人工服务|故障|账单|投诉|咨询|网络报修|抢修班|主管|值班经理|装维|北京|朝阳|昨晚|报修后|中文|地址|发生时间|户号|账期|事由|诉求|光猫/
  if (english) {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    for (let n = walker.nextNode(); n; n = walker.nextNode()) {
      const text = n.textContent.trim()
      if (/\p{Script=Han}/u.test(text) && !own.test(text)) out.push(`not translated: ${text.slice(0, 40)}`)
    }
  }

  // A place without a word: a list or a table that is empty says so.
  for (const e of document.querySelectorAll('main, aside, section, tbody, ul, ol, dl')) {
    if (!e.textContent.trim() && !e.querySelector('[role=img], svg, input') && e.getClientRects().length) out.push(`says nothing: ${e.tagName.toLowerCase()}.${e.className}`)
  }

  const { violations } = await axe.run(document, { resultTypes: ['violations'] })
  for (const v of violations) {
    if (v.impact !== 'minor') out.push(`axe: ${v.impact} ${v.id}: ${v.nodes.map((n) => n.target.join(' ')).slice(0, 3).join(', ')}: ${v.nodes[0].failureSummary?.split('\n')[1] ?? ''}`)
  }
  return out
}
