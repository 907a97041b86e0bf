export default { kind: 'troupe.tasks', tasks: { nothing: 3 }, session: null }
