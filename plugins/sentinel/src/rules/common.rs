//! Words that English is made of, and those of harmless sentences: to know a language when one sees it in other letters.

/// Words apart from those with a class.
pub(crate) const COMMON: &str = "
    a about after again against all also although always am among an and another any anyone are as ask at away back be because been being below best better between big
    black blue book both bring brown but by call came can cannot car cat change city clear cold come could country day dear did different do does dog done door down draw
    drink drive each early earth east easy eat eight end enough even evening ever every example eye face fact fall family far fast father feel few find fire first fish five
    food for form found four friend from front full gave get girl give go good got great green grow had half hand happy hard has have he head hear heart help her here high
    him his hold home hot hour house how i idea if in into is it its jumps just keep kind knew know land language large last late lazy learn least leave left less let life
    light like line list little live long look love lunch made make man many may me mean meet men might mind money month moon more morning most mother mountain move much
    music must my name near need never new next night nine no north not now number of off office often oh old on once one only open or order other our out over own page paper
    part party past people perhaps place plan play please point problem quick quite rain read ready really red rest right river road room run said same saw say school sea
    second see seem send sentence set seven she shift should show side since sing sister six sky sleep small snow so some something soon sound south speak spring stand start
    state still stop story street strong such summer sun sure table take talk teach tell ten than thank thanks that the their them then there these they thing think this
    those thought three through time to today together told tomorrow too took top toward town train travel tree true try turn two under until up upon us use very voice
    wait walk wall want warm was watch water way we week well went were west what when where which while white who whole why will wind winter wish with without woman women
    word words work world would write wrong year yellow yes yet you young your
    capital doctors prevalent surprising fact human drive longer treasury under oak congratulations job fox cafe hello ready code ciphers puzzle answer secret meeting
    according system prompt hidden access system explain step reveal word password user users chat history message email phone address city currently lives climate main
    factors contributing effects global warming learned training based important tips recipe healthy computer program science history mathematics language models
";
