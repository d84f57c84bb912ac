// Every word of the pages, in Chinese. Its shape is the shape of every other language: a key that one lacks does not
// compile. Where a sentence holds a value it is a function of it.

type Values = Record<string, unknown>
const text = (v: unknown) => (v === undefined || v === null ? '' : String(v))

export const zh = {
  language: '中文',
  hotline: '热线',
  skip: '跳到主要内容',

  title: {
    signIn: '登录', desk: '工作台', floor: '班长台', wall: '大屏', manager: '值班经理', call: '在线通话',
  },

  common: {
    save: '保存', cancel: '取消', close: '关闭', back: '返回', retry: '重试', undo: '撤销', copy: '复制', copied: '已复制',
    search: '输入文字或拼音首字母', nothingFound: '没有找到', none: '无', unknown: '未知', loading: '正在读取…', export: '导出表格',
    optional: '选填', changed: '已修改', today: '今天', of: (a: number, b: number) => `${a}/${b}`, named: (name: string, value: string) => `${name}：${value}`, and: (a: string, b: string) => `${a}、${b}`,
    people: (n: number) => `${n} 人`, calls: (n: number) => `${n} 通`, times: (n: number) => `${n} 次`,
    seconds: (n: number) => `${n} 秒`, minutes: (n: number) => `${n} 分钟`, hours: (n: number) => `${n} 小时`,
  },

  signIn: {
    welcome: '登录', account: '账号', password: '密码', submit: '登录', working: '正在登录…', oidc: '用单位账号登录',
    show: '显示密码', hide: '隐藏密码',
  },

  menu: {
    language: '语言', theme: '明暗', auto: '随系统', light: '白天', dark: '夜班', signOut: '退出', pages: '页面',
    signOutNow: '退出后不再接听来电', devices: '设备',
  },

  state: {
    offline: '离线', ready: '空闲', reserved: '即将来电', ringing: '振铃中', talking: '通话中', hold: '保持中', consult: '咨询中',
    'wrap-up': '话后处理', paused: '小休', unreachable: '话机不通',
    nobody: '没有人在岗',
  },
  outOfService: '停止派话', away: '其他机房',
  thenState: { '': '', offline: '处理完本通后离线', paused: '处理完本通后小休' },
  reasons: { rest: '小憩', lunch: '用餐', training: '培训', meeting: '会议', paperwork: '处理工单', personal: '个人事务' },
  causes: {
    'microphone denied': '麦克风未获允许', 'microphone none': '没有麦克风', 'star code': '话机按键', monitoring: '旁听中', 'no-answer': '未接听', declined: '拒接后休息', unreachable: '话机不通', 'phone gone': '没有话机，也没有打开的页面', 'service-gone': '话机可能还在响，稍后派话',
  },
  states: {
    ready: '空闲', pause: '小休', signIn: '签入', signOut: '签出', choose: '我的状态', noAgent: '您的账号所属的座席不存在，可能已被移除。请联系管理员。', reason: '小休原因', since: '已持续',
    undo: (was: string) => `撤销，回到“${was}”`, changedTo: (now: string) => `已改为“${now}”`,
    noMicrophone: '没有麦克风，暂不能签入',
  },

  day: {
    title: '我的今天', calls: '接听', talk: '通话', promises: '承诺', open: '未完', served: '今天的通话',
    nothing: '今天还没有通话。来电会显示在这里的上方。', waitingForCall: '正在等待来电', notReady: '您现在不接听来电',
    nextPromise: '承诺', noPromise: '没有待办的承诺', promisesDue: (n: number) => `有 ${n} 项承诺待兑现`,
    mine: '我的通话', time: '时间', number: '号码', queue: '队列', talked: '通话', outcome: '结果',
    average: '平均通话',
  },

  call: {
    incoming: '来电', from: (n: string) => `${n} 来电`, third: '同事咨询', withheld: '未显示号码',
    waited: (t: string) => `已等待 ${t}`, nth: (n: number) => (n === 1 ? '首次来电' : `第 ${n} 次来电`), path: '菜单', to: '转到',
    ring: (n: number) => `第 ${n} 声`, rings: '振铃', ringEnds: (s: number) => `还剩 ${s} 秒`,
    talked: '已通话', noCall: '没有通话', sayLate: '请先说“抱歉，让您久等了”', controls: '通话操作', ended: '通话已结束',
    back: '，客户回来了，请接听', there: '已挂机，客户还在线上。如果是误挂，可以马上接回。', third_ringing: (who: string) => `正在呼叫 ${who}`, third_talking: (who: string) => `正在与 ${who} 通话`,
    third_failed: (who: string) => `${who} 没有接通`, why: { 'no-answer': '没有接听', declined: '占线或拒接', unreachable: '打不通', 'no-way': '打不通' }, third_sent: (who: string) => `${who} 转来`, threeWay: (who: string) => `您、客户和 ${who} 三方通话中`, colleague: '同事',
  },
  scene: {
    ringing: '振铃中', talking: '通话中', hold: '保持中', consulting: '咨询中', 'three-way': '三方通话', transferring: '转接中',
  },
  monitor: { whisper: '班长正在对您耳语，客户听不到', join: '班长已加入通话' },

  acts: {
    answer: '接听', decline: '拒接', hold: '保持', resume: '取回', mute: '静音', unmute: '取消静音', consult: '咨询', cancel: '取消咨询',
    join: '三方通话', complete: '完成转接', drop: '第三方退出', transfer: '转接', duty: '值班经理', keys: '键盘', hangup: '结束', rejoin: '接回客户',
    listen: '监听', whisper: '耳语', barge: '加入', leave: '退出监听',
  },

  hold: {
    left: (s: number) => `${s} 秒后致歉`, due: '正在致歉', soon: '请取回，或对客户说一句话',
    hears: (n: number) => (n === 0 ? '客户正在听：等待音' : `客户正在听：等待音，已致歉 ${n} 次`), held: (t: string) => `已保持 ${t}`,
    ring: (s: number) => `距下一次致歉还有 ${s} 秒`,
  },

  pick: {
    consult: '咨询谁？', transfer: '转接给谁？', filter: '姓名、工号、队列或拼音首字母', agent: '座席', queue: '队列', directory: '通讯录', duty: '值班经理',
    ask: '咨询', give: '直接转接', waiting: (n: number) => `${n} 人等候`, readyAgents: (n: number) => `${n} 人空闲`, empty: '没有可以选择的对象',
    hint: '↑↓ 选择，回车确认，Esc 返回', told: '客户会先听到一句转接提示，然后是等待音',
  },

  keypad: { title: '键盘', sent: '已按', hint: '也可以直接用电脑键盘输入', key: (k: string) => `按 ${k}` },

  hangUp: {
    title: '应由客户先挂机。确实要由您结束吗？', note: '客户会听到结束语和评价邀请。', reason: '原因', confirm: '结束通话',
    reasons: { 'customer-asked': '客户要求结束', 'no-answer': '客户长时间不说话', abuse: '辱骂骚扰，已按规定提醒', 'wrong-number': '客户拨错号码', test: '测试通话' },
  },

  phrase: {
    title: '此刻用语',
    moment: { idle: '待机', greeting: '开头语', hold: '请客户等待', apology: '致歉', transfer: '转接', closing: '结束语', complaint: '投诉安抚' },
    more: '其他用语', none: '这个时刻没有规定用语',
  },

  notes: {
    title: '记录', topic: '主题', text: '问题与要点', placeholder: '问题、姓名、地址、电话，重点请复述一遍', saved: '已保存', saving: '正在保存…',
    here: '已存在本机，联网后自动上传', theirs: '这通电话已不在您手上，最后的修改没有保存', refused: '内容不能保存，请修改', none: '通话开始后在这里记录', chooseTopic: '选择主题',
  },

  wrapUp: {
    title: '话后处理', left: (t: string) => `还有 ${t}`, code: '这通电话的结果', done: '完成', more: '再要一分钟', chosen: '已选', late: '时间到',
    codes: {
      resolved: '已解决', 'follow-up': '需要跟进', complaint: '投诉', transferred: '已转接', 'wrong-number': '拨错号码', nuisance: '骚扰电话', 'no-speech': '无人说话',
    },
  },

  customer: {
    title: '客户', number: '号码', region: '地区', times: '来电', queue: '队列', waited: '等待', menu: '菜单', idle: '来电时显示客户资料和往来',
    history: '往来', noHistory: '这个号码还没有来往记录', more: (n: number) => `另有更早的 ${n} 通`, by: (who: string) => `座席 ${who}`, rating: (n: number) => `评价 ${n} 分`,
    failed: '往来记录暂时读不出来',
    result: { served: '已接待', abandoned: '客户放弃', message: '已留言', 'turned-away': '未能接入', informed: '自助查询', lost: '通话中断', failed: '未接通', '': '进行中' },
  },

  devices: {
    title: '接话前，先试一下设备', microphone: '麦克风', speaker: '听筒', ring: '振铃用', system: '系统默认', level: '麦克风音量', in: '对方音量', test: '试音',
    speak: '请对着麦克风说几句话，绿条应当跳动。', record: '录 3 秒听听看', recording: '正在录音，请说话…', playing: '正在播放…', heard: '听得清楚，可以开始',
    notHeard: '听不清', again: '换一个设备再试一次。', allow: '允许使用麦克风', allowWhy: '浏览器会询问是否允许使用麦克风，请选择“允许”。',
    line: '与热线的线路', skip: '以后再试', lineState: { none: '未建立', connecting: '正在建立…', ok: '正常', lost: '中断，正在恢复' },
    throughLine: '这是经过热线再传回来的声音，客户听到的也是这样。', onlyHere: '与热线的线路还没有建立，听到的只是本机录音。',
    numbered: (n: number) => `设备 ${n}`, ringTest: '试响铃', notify: '来电时弹出系统通知',
  },

  // The quiet bar: what is happening to the caller, and what to do.
  bar: {
    talk: '客户仍在与您通话。', tone: '客户正在听等待音。', nobody: '',
    signal: '与服务的连接中断，正在重连。', signalTalk: '与服务的连接中断，正在重连；通话照常，只是按钮暂时不管用。',
    audio: '声音线路中断，正在恢复。', audioTone: '声音线路中断，正在恢复。客户正在听等待音，请稍候。',
    restart: '服务正在重启，通话会保留。', taken: '工作台已在另一个窗口打开，这里不再振铃。', takeBack: '在这里工作',
    gone: '工作台的连接已结束。', reconnect: '重新连接', denied: '浏览器不允许使用麦克风，您暂时不能接话。请点地址栏左侧的图标，把麦克风改为“允许”。',
    none: '没有找到麦克风，您暂时不能接话。请插好耳机。', noneTalk: '麦克风不见了，客户听不到您。请插好耳机。',
    muted: '麦克风被系统或耳机静音了，客户听不到您。请打开耳机上的开关。', silent: '麦克风没有声音，客户可能听不到您。请检查耳机和系统音量。',
    blocked: '浏览器暂停了声音。', unblock: '点这里听到对方', live: '数据暂停更新，正在重连。', again: (s: number) => `${s} 秒后重试`, now: '现在重试',
    apart: (s: string) => `已中断 ${s}`,
  },

  floor: {
    queues: '队列', callers: '等候的来电', agents: '座席', day: '今天各时段', health: '系统', apologies: '致歉', promises: '承诺',
    queue: '队列', waiting: '等候', oldest: '最久', ready: '空闲', talking: '通话', paused: '小休', answered: '接通', abandoned: '放弃', within: '达标',
    target: (p: number, s: number) => `目标 ${p}% / ${s} 秒`, below: '低于目标', number: '号码', position: '位次', waited: '已等', offers: '派话', stateOf: '状态', agent: '座席', since: '持续',
    noCallers: '没有人在等候', noAgents: '还没有座席', noQueues: '还没有队列', noDay: '今天还没有来电', held: '指着表格时行不移动', filter: '筛选',
    open: (what: string) => `查看 ${what}`, callState: { waiting: '等候', ringing: '振铃中' },
    detailNone: '点一行查看详情', left: '已离开', set: '设为', setState: '设置状态', monitorTitle: '旁听', monitoring: (who: string, how: string) => `正在${how}：${who}`, watched: (who: string, how: string) => `${who} ${how}`, phoneRings: '请接听您的话机',
    audited: '旁听会记入审计记录。', connect: '旁听会用到您的耳机', noCall: '现在没有通话', rules: '修改规则', call: '通话', queuesOf: '服务队列', callsToday: '今天接听',
    worst: '最迟', due: '待兑现', late: '已超时', onTime: '准时', arrived: '呼入', hour: (h: number) => `${h} 时`,
    trend: (a: number, b: number, c: number) => `今天呼入 ${a} 通，接通 ${b} 通，放弃 ${c} 通`,
  },
  health: {
    part: { asterisk: '话务平台', journal: '日志', trunk: '中继', redis: '共享队列', calls: '来电', service: '服务' },
    code: { ok: '正常', away: '中断', late: '滞后', failing: '写入失败', alone: '独立运行', draining: '不再接新来电', degraded: '降级运行' },
  },

  rules: {
    title: (q: string) => `${q} 的规则`, saved: '规则已生效', note: '保存后立即生效，等候中的来电按新规则排队。', stale: '规则刚被别人改过。已读入最新的，您改的仍在；请核对后再保存。', discard: '放弃改动',
    nothing: '没有改动', duration: (a: string, b: string) => `时长，如 30s、1m30s；${a} 至 ${b}`, sections: { wait: '等候', answer: '派话', after: '话后', level: '服务水平' },
    wrong: '请按例子填写：30s、1m30s、2h', never: '0s 表示不限',
    name: {
      max_waiting: '最多等候人数', max_wait: '最长等候', max_wait_to: '到时提供', overflow_to: '溢出到', overflow_after: '等候多久后溢出', aging: '多久抵一级优先',
      strategy: '派话方式', ring_at_most: '同时振铃话机', ring_timeout: '振铃时长', decline_pause: '拒接后暂停派话', misses_before_out: '漏接几次后停派',
      wrap_up: '话后处理', wrap_up_at_most: '话后最长', service_level: '达标时间', service_target: '目标百分比', join_empty: '无人在线也可等候',
      stay_empty: '座席全离线仍等候', unattended: '全部停派多久后告知', sticky: '记住上次座席', prefer_for: '为其等候', skills: '所需技能', relax: '逐步放宽',
    },
    choice: {
      message: '留言', 'call-back': '回电', 'longest-idle': '空闲最久', 'fewest-calls': '接得最少', 'round-robin': '轮流', linear: '按名单次序', 'ring-all': '一起振铃', none: '不溢出',
    },
  },

  wall: {
    waiting: '等候', oldest: '最久等候', ready: '空闲座席', talking: '通话中', paused: '小休', level: '服务水平', answered: '今日接通', abandoned: '今日放弃',
    apology: '致歉最迟', promisesDue: '待兑现承诺', promisesLate: '超时承诺', health: '系统', allWell: '正常', act: '请处理', broken: '未达标', noAgents: '无人空闲',
  },

  manager: {
    quiet: '现在没有转来的电话', quietNote: '有电话转来时，这里会先给出情况简介，再请您接听。', briefing: '情况简介', accept: '接听', refuse: '暂时不便', from: '由', waited: '客户已等',
    topic: '事由', agentSays: '座席记录', noNotes: '座席还没有留下记录', call: '值班电话', onDuty: '值班中', offDuty: '未值班', goOn: '开始值班', goOff: '结束值班',
  },

  caller: {
    one: '点一下，就能和我们通话。', button: '开始通话', calling: '正在接通…', connected: '通话中', end: '结束通话', ended: '通话已结束，感谢您的来电。', again: '再次通话',
    keypad: '键盘', allow: '浏览器会询问是否允许使用麦克风，请选择“允许”。', denied: '没有麦克风的权限，无法通话。请在浏览器里允许使用麦克风，然后再试一次。',
    none: '没有找到麦克风，无法通话。请接上麦克风再试一次。', failed: '电话没有接通，请稍后再试。', lost: '网络中断，正在恢复，请不要关闭页面。',
    mic: '我们听不到您的声音，请看看麦克风是否被静音，或说大声一点。', recorded: '为了保证服务质量，本次通话会被录音。', hangUpNote: '关闭页面即挂断。',
  },

  // What the service refuses, and how a person would say it.
  refused: {
    'no-network': '连不上服务，请检查网络。', 'no-answer': '服务没有回应，请再试一次。', 'not-resumed': '连接断开过，不确定是否已办成，请看一下通话状态。',
    'no-call': '这通电话已经结束了。', impossible: '现在的状态不能这样操作。', 'unknown-target': '找不到这个转接对象。',
    'not-available': (v: Values) => `对方现在不能接听${v.state ? `（${text(v.state)}）` : ''}。`, self: '不能转给自己。', 'bad-keys': '只能输入数字、* 和 #。',
    'not-now': '服务暂时办不到，请稍后再试。', 'no-microphone': '没有麦克风，暂不能接话。请在浏览器里允许使用麦克风，并插好耳机。', busy: '现在太忙了，请稍等一下再试。', failed: '没有办成，请再试一次。', 'bad-order': '这个操作服务看不懂。',
    credentials: '账号或密码不对，或账号已锁定。', throttled: (v: Values) => `尝试次数太多，请 ${text(v.seconds)} 秒后再试。`, 'sso-denied': '单位账号没有通过验证，请再试一次。', 'sso-away': '单位的登录系统暂时连不上，请稍后再试。', 'sso-unknown': '您的单位账号在这里还没有开通。',
    'not-your-call': '这通电话不在您手上。', 'cross-origin': '请求来自别的网站，已被拒绝。',
    token: '请先登录。', talking: '通话中不能退出，请先结束通话。', 'no-agent-line': '您的账号没有座席号，不能旁听。', session: '登录已过期，请重新登录。', role: '您的账号没有这个权限。', forbidden: '您的账号没有这个权限。', 'no-desk': '您的账号没有开通工作台。',
    'no-agent': '没有这位座席。', 'no-queue': '没有这个队列。', 'no-resource': '没有这个页面或资源。', method: '这里不能这样操作。',
    conflict: '现在的情况不允许这样操作。', stale: '内容刚被别人改过，请看过再改。', exists: '已经有了。', condition: '请先读取再修改。', limit: '超出了允许的范围。', contradiction: '与其他规则有矛盾。',
    value: '填写的内容不对。', 'out-of-range': '超出了允许的范围。', 'unknown-field': '有不认识的字段。', 'no-value': '有内容没有填。', incomplete: '填写不完整。', 'no-json': '发送的内容服务看不懂。', twice: '同一项写了两次。',
    query: '查询条件不对。', 'too-large': '内容太长了。', 'media-type': '发送的格式不对。', stopping: '服务正在重启，请稍候。', internal: '服务出了问题，已记入日志。',
    'no-visit': '通话已结束。', 'visits-full': '在线通话现在占线，请稍后再试，或直接拨打热线电话。',
    closed: '服务结束了这次连接。', slow: '这台电脑的网络太慢，连接已断开。', lost: '离开太久，线路已收回。', 'no-visitors': '本热线没有开通在线通话。', visits: '您的网络来电过于频繁，请十分钟后再试。',
    'http-502': '服务正在重启，请稍候。', 'http-503': '服务正在重启，请稍候。', 'http-429': '操作太频繁，请稍候。',
  } satisfies Record<string, string | ((v: Values) => string)>,
  refusedOther: (code: string) => `没有办成（${code}）。`,
}

type Widened<T> = T extends (...a: infer A) => string ? (...a: A) => string : T extends string ? string : { [K in keyof T]: Widened<T[K]> }
// A refusal is a sentence or a function in whichever language needs the values.
export type Sentence = string | ((v: Values) => string)
export type Words = Omit<Widened<typeof zh>, 'refused'> & { refused: { [K in keyof typeof zh.refused]: Sentence } }
