// c37a517290ad
document.addEventListener("keydown",({key:e,target:t,altKey:r,ctrlKey:n,metaKey:c})=>{if(r||n||c||t.closest("[tabindex], input, select, textarea"))return;const a={ArrowLeft:"prev",ArrowRight:"next"}[e];document.querySelector(`a[rel=${a}]`)?.click()});
