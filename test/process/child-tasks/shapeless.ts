export default { download: () => 1 }
