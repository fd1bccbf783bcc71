-- custctl: phase=expand
-- custctl: allow=replace-into nothing refers to a letter
-- What `customer search` looks in: the words of a customer, and the digits of the phone. Where SQLite has FTS5,
-- `customer_search.sql` makes two indexes of what this view shows; they keep what it showed when a row was written, so that
-- a change here needs one there.

INSERT OR REPLACE INTO custctl_letter (letter, folded)
WITH RECURSIVE given (letters, others) AS (VALUES
  ('ÀÁÂÃÄÅÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝàáâãäåçèéêëìíîïðñòóôõöøùúûüýÿĀāĂăĄąĆćĈĉĊċČčĎďĐđĒēĔĕĖėĘęĚěĜĝĞğĠġĢģĤĥĦħĨĩĪ',
   'aaaaaaceeeeiiiidnoooooouuuuyaaaaaaceeeeiiiidnoooooouuuuyyaaaaaaccccccccddddeeeeeeeeeegggggggghhhhiii'),
  ('īĬĭĮįİıĴĵĶķĸĹĺĻļĽľĿŀŁłŃńŅņŇňŉŊŋŌōŎŏŐőŔŕŖŗŘřŚśŜŝŞşŠšŢţŤťŦŧŨũŪūŬŭŮůŰűŲųŴŵŶŷŸŹźŻżŽžſƁƂƄƆƇƉƊƋƎƏƐƑƓƔƖƗƘƜƝ',
   'iiiiiiijjkkkllllllllllnnnnnnnnnoooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzsɓƃƅɔƈɖɗƌǝəɛƒɠɣɩɨƙɯɲ'),
  ('ƟƠơƢƤƦƧƩƬƮƯưƱƲƳƵƷƸƼǍǎǏǐǑǒǓǔǕǖǗǘǙǚǛǜǞǟǠǡǤǦǧǨǩǪǫǬǭǮǯǰǴǵǶǷǸǹǺǻǾǿȀȁȂȃȄȅȆȇȈȉȊȋȌȍȎȏȐȑȒȓȔȕȖȗȘșȚțȜȞȟȠȢȤȦȧȨȩȪ',
   'ɵooƣƥʀƨʃƭʈuuʊʋƴƶʒƹƽaaiioouuuuuuuuuuaaaaǥggkkooooʒʒjggƕƿnnaaooaaaaeeeeiiiioooorrrruuuussttȝhhƞȣȥaaeeo'),
  ('ȫȬȭȮȯȰȱȲȳΆΈΉΊΌΎΏΐΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΪΫάέήίΰςϊϋόύώϓϔϘϚϜϞϠϢϤϦϨϪϬϮϴЀЁЂЃЄЅІЇЈЉЊЋЌЍЎЏАБВГДЕЖЗИЙКЛМНО',
   'oooooooyyαεηιουωιαβγδεζηθικλμνξοπρστυφχψωιυαεηιυσιυουωϒϒϙϛϝϟϡϣϥϧϩϫϭϯθееђгєѕііјљњћкиуџабвгдежзииклмно'),
  ('ПРСТУФХЦЧШЩЪЫЬЭЮЯйѐёѓїќѝўѠѢѤѦѨѪѬѮѰѲѴѶѷѸѺѼѾҀҊҌҎҐҒҔҖҘҚҜҞҠҢҤҦҨҪҬҮҰҲҴҶҸҺҼҾӀӁӂӃӅӇӉӋӍӐӑӒӓӔӖӗӘӚӛӜӝӞӟӠӢӣӤӥӦӧ',
   'прстуфхцчшщъыьэюяиеегікиуѡѣѥѧѩѫѭѯѱѳѵѵѵѹѻѽѿҁҋҍҏґғҕҗҙқҝҟҡңҥҧҩҫҭүұҳҵҷҹһҽҿӏжжӄӆӈӊӌӎааааӕееәәәжжззӡииииоо'),
  ('ӨӪӫӬӭӮӯӰӱӲӳӴӵӸӹԀԂԄԆԈԊԌԎԱԲԳԴԵԶԷԸԹԺԻԼԽԾԿՀՁՂՃՄՅՆՇՈՉՊՋՌՍՎՏՐՑՒՓՔՕՖႠႡႢႣႤႥႦႧႨႩႪႫႬႭႮႯႰႱႲႳႴႵႶႷႸႹႺႻႼႽႾႿჀჁჂჃჄჅᎠ',
   'өөөээууууууччыыԁԃԅԇԉԋԍԏաբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆⴀⴁⴂⴃⴄⴅⴆⴇⴈⴉⴊⴋⴌⴍⴎⴏⴐⴑⴒⴓⴔⴕⴖⴗⴘⴙⴚⴛⴜⴝⴞⴟⴠⴡⴢⴣⴤⴥꭰ'),
  ('ᎡᎢᎣᎤᎥᎦᎧᎨᎩᎪᎫᎬᎭᎮᎯᎰᎱᎲᎳᎴᎵᎶᎷᎸᎹᎺᎻᎼᎽᎾᎿᏀᏁᏂᏃᏄᏅᏆᏇᏈᏉᏊᏋᏌᏍᏎᏏᏐᏑᏒᏓᏔᏕᏖᏗᏘᏙᏚᏛᏜᏝᏞᏟᏠᏡᏢᏣᏤᏥᏦᏧᏨᏩᏪᏫᏬᏭᏮᏯᏰᏱᏲᏳᏴᲐᲑᲒᲓᲔᲕᲖᲗᲘᲙᲚᲛᲜᲝᲞᲟ',
   'ꭱꭲꭳꭴꭵꭶꭷꭸꭹꭺꭻꭼꭽꭾꭿꮀꮁꮂꮃꮄꮅꮆꮇꮈꮉꮊꮋꮌꮍꮎꮏꮐꮑꮒꮓꮔꮕꮖꮗꮘꮙꮚꮛꮜꮝꮞꮟꮠꮡꮢꮣꮤꮥꮦꮧꮨꮩꮪꮫꮬꮭꮮꮯꮰꮱꮲꮳꮴꮵꮶꮷꮸꮹꮺꮻꮼꮽꮾꮿᏸᏹᏺᏻᏼაბგდევზთიკლმნოპჟ'),
  ('ᲠᲡᲢᲣᲤᲥᲦᲧᲨᲩᲪᲫᲬᲭᲮᲯᲰᲱᲲᲳᲴᲵᲶᲷᲸᲹᲺᲽᲾᲿḀḁḂḃḄḅḆḇḈḉḊḋḌḍḎḏḐḑḒḓḔḕḖḗḘḙḚḛḜḝḞḟḠḡḢḣḤḥḦḧḨḩḪḫḬḭḮḯḰḱḲḳḴḵḶḷḸḹḺḻḼḽḾḿṀṁṂṃṄṅ',
   'რსტუფქღყშჩცძწჭხჯჰჱჲჳჴჵჶჷჸჹჺჽჾჿaabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmmmmmmnn'),
  ('ṆṇṈṉṊṋṌṍṎṏṐṑṒṓṔṕṖṗṘṙṚṛṜṝṞṟṠṡṢṣṤṥṦṧṨṩṪṫṬṭṮṯṰṱṲṳṴṵṶṷṸṹṺṻṼṽṾṿẀẁẂẃẄẅẆẇẈẉẊẋẌẍẎẏẐẑẒẓẔẕẖẗẘẙẛẠạẢảẤấẦầẨẩẪẫẬậẮ',
   'nnnnnnoooooooopppprrrrrrrrssssssssssttttttttuuuuuuuuuuvvvvwwwwwwwwwwxxxxyyzzzzzzhtwysaaaaaaaaaaaaaaa'),
  ('ắẰằẲẳẴẵẶặẸẹẺẻẼẽẾếỀềỂểỄễỆệỈỉỊịỌọỎỏỐốỒồỔổỖỗỘộỚớỜờỞởỠỡỢợỤụỦủỨứỪừỬửỮữỰựỲỳỴỵỶỷỸỹỺỼỾἀἁἂἃἄἅἆἇἈἉἊἋἌἍἎἏἐἑἒἓἔἕ',
   'aaaaaaaaaeeeeeeeeeeeeeeeeiiiioooooooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyyỻỽỿααααααααααααααααεεεεεε'),
  ('ἘἙἚἛἜἝἠἡἢἣἤἥἦἧἨἩἪἫἬἭἮἯἰἱἲἳἴἵἶἷἸἹἺἻἼἽἾἿὀὁὂὃὄὅὈὉὊὋὌὍὐὑὒὓὔὕὖὗὙὛὝὟὠὡὢὣὤὥὦὧὨὩὪὫὬὭὮὯὰὲὴὶὸὺὼᾀᾁᾂᾃᾄᾅᾆᾇᾈᾉᾊᾋᾌᾍᾎ',
   'εεεεεεηηηηηηηηηηηηηηηηιιιιιιιιιιιιιιιιοοοοοοοοοοοουυυυυυυυυυυυωωωωωωωωωωωωωωωωαεηιουωααααααααααααααα'),
  ('ᾏᾐᾑᾒᾓᾔᾕᾖᾗᾘᾙᾚᾛᾜᾝᾞᾟᾠᾡᾢᾣᾤᾥᾦᾧᾨᾩᾪᾫᾬᾭᾮᾯᾰᾱᾲᾳᾴᾶᾷᾸᾹᾺᾼῂῃῄῆῇῈῊῌ῍῎῏ῐῑῒῖῗῘῙῚ῝῞῟ῠῡῢῤῥῦῧῨῩῪῬῲῳῴῶῷῸῺῼℲⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩⅪⅫⅬⅭ',
   'αηηηηηηηηηηηηηηηηωωωωωωωωωωωωωωωωαααααααααααηηηηηεηη᾿᾿᾿ιιιιιιιι῾῾῾υυυρρυυυυυρωωωωωοωωⅎⅰⅱⅲⅳⅴⅵⅶⅷⅸⅹⅺⅻⅼⅽ'),
  ('ⅮⅯↃ↚↛↮⇍⇎⇏∄∉∌∤∦≁≄≇≉≠≢≭≮≯≰≱≴≵≸≹⊀⊁⊄⊅⊈⊉⊬⊭⊮⊯⋠⋡⋢⋣⋪⋫⋬⋭ⒶⒷⒸⒹⒺⒻⒼⒽⒾⒿⓀⓁⓂⓃⓄⓅⓆⓇⓈⓉⓊⓋⓌⓍⓎⓏⰀⰁⰂⰃⰄⰅⰆⰇⰈⰉⰊⰋⰌⰍⰎⰏⰐⰑⰒⰓⰔⰕⰖⰗⰘⰙⰚ',
   'ⅾⅿↄ←→↔⇐⇔⇒∃∈∋∣∥∼≃≅≈=≡≍<>≤≥≲≳≶≷≺≻⊂⊃⊆⊇⊢⊨⊩⊫≼≽⊑⊒⊲⊳⊴⊵ⓐⓑⓒⓓⓔⓕⓖⓗⓘⓙⓚⓛⓜⓝⓞⓟⓠⓡⓢⓣⓤⓥⓦⓧⓨⓩⰰⰱⰲⰳⰴⰵⰶⰷⰸⰹⰺⰻⰼⰽⰾⰿⱀⱁⱂⱃⱄⱅⱆⱇⱈⱉⱊ'),
  ('ⰛⰜⰝⰞⰟⰠⰡⰢⰣⰤⰥⰦⰧⰨⰩⰪⰫⰬⰭⰮⰯⱠⱢⱣⱤⱧⱩⱫⱭⱮⱯⱰⱲⱵⱾⱿⲀⲂⲄⲆⲈⲊⲌⲎⲐⲒⲔⲖⲘⲚⲜⲞⲠⲢⲤⲦⲨⲪⲬⲮⲰⲲⲴⲶⲸⲺⲼⲾⳀⳂⳄⳆⳈⳊⳌⳎⳐⳒⳔⳖⳘⳚⳜⳞⳠⳢⳫⳭⳲ！＂＃＄％＆＇（）＊＋',
   'ⱋⱌⱍⱎⱏⱐⱑⱒⱓⱔⱕⱖⱗⱘⱙⱚⱛⱜⱝⱞⱟⱡɫᵽɽⱨⱪⱬɑɱɐɒⱳⱶȿɀⲁⲃⲅⲇⲉⲋⲍⲏⲑⲓⲕⲗⲙⲛⲝⲟⲡⲣⲥⲧⲩⲫⲭⲯⲱⲳⲵⲷⲹⲻⲽⲿⳁⳃⳅⳇⳉⳋⳍⳏⳑⳓⳕⳗⳙⳛⳝⳟⳡⳣⳬⳮⳳ!"#$%&''()*+'),
  ('，－．／０１２３４５６７８９：；＜＝＞？＠ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺ［＼］＾＿｀ａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ｛｜｝～',
   ',-./0123456789:;<=>?@abcdefghijklmnopqrstuvwxyz[\]^_`abcdefghijklmnopqrstuvwxyz{|}~')
), at (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM at WHERE number < 100)
SELECT substr(letters, number, 1), substr(others, number, 1) FROM given JOIN at ON number <= length(letters);

INSERT OR REPLACE INTO custctl_letter (letter, folded) VALUES
  ('Æ', 'ae'), ('æ', 'ae'), ('Ǣ', 'ae'), ('ǣ', 'ae'), ('Ǽ', 'ae'), ('ǽ', 'ae'), ('Þ', 'th'), ('þ', 'th'), ('ß', 'ss'), ('ẞ', 'ss'), ('Ĳ', 'ij'), ('ĳ', 'ij'), ('Œ', 'oe'), ('œ', 'oe'), ('Ǆ', 'dz'), ('ǅ', 'dz'), ('ǆ', 'dz'), ('Ǳ', 'dz'), ('ǲ', 'dz'), ('ǳ', 'dz'), ('Ǉ', 'lj'), ('ǈ', 'lj'), ('ǉ', 'lj'), ('Ǌ', 'nj'), ('ǋ', 'nj'), ('ǌ', 'nj'), ('ﬀ', 'ff'), ('ﬁ', 'fi'), ('ﬂ', 'fl');

-- Blanks, and what is as good as not there: marks above and below letters, and what has no width.
INSERT OR REPLACE INTO custctl_letter (letter, folded)
WITH RECURSIVE given (first, last, folded) AS (VALUES
  (160, 169, ' '), (171, 172, ' '), (174, 177, ' '), (180, 180, ' '), (182, 184, ' '), (187, 187, ' '), (191, 191, ' '), (215, 215, ' '), (247, 247, ' '), (700, 700, ' '), (901, 901, ' '), (8129, 8129, ' '), (8173, 8173, ' '), (8208, 8231, ' '), (8239, 8287, ' '), (12288, 12291, ' '), (12296, 12305, ' '), (12308, 12319, ' '), (12539, 12539, ' '),
  (173, 173, ''), (768, 879, ''), (8203, 8207, '')
), at (code, last, folded) AS (SELECT first, last, folded FROM given UNION ALL SELECT code + 1, last, folded FROM at WHERE code < last)
SELECT char(code), folded FROM at;

-- Letters of scripts beyond the basic plane have their small ones at a distance.
INSERT OR REPLACE INTO custctl_letter (letter, folded)
WITH RECURSIVE given (first, last, further) AS (VALUES
  (66560, 66599, 40), (66736, 66771, 40), (66928, 66938, 39), (66940, 66954, 39), (66956, 66962, 39), (66964, 66965, 39),
  (68736, 68786, 64), (71840, 71871, 32), (93760, 93791, 32), (125184, 125217, 34)
), at (code, last, further) AS (SELECT first, last, further FROM given UNION ALL SELECT code + 1, last, further FROM at WHERE code < last)
SELECT char(code), char(code + further) FROM at;

-- `texts` holds the fields as they are searched for a part of them, a line each; `more` what else they are found by. A name
-- with an apostrophe or a hyphen is there in one word, too, and one with an umlaut as people write it who have no key for
-- it. A phone is there from each of its first four digits on, so that the country's may be left out, and backwards behind
-- a sign, so that its last digits find it. Most text is ASCII, which needs no look at its letters. Each step takes off a
-- letter at least: a text that another client wrote may hold a NUL, at which `ltrim` stops.
DROP VIEW IF EXISTS custctl_searched;
CREATE VIEW custctl_searched (id, texts, more) AS
SELECT id,
  CASE WHEN length(raw) = length(CAST(raw AS BLOB)) THEN lower(raw) ELSE (
      WITH RECURSIVE step (text, plain, rest) AS (
        SELECT raw, ' eaionrstlmdcukhgbpyvzjwf.@x0123456789q-
()+EAIONRSTLMDCUKHGBPYVZJWFXQ,/&_''"!#$%*:;<=>?[\]^`{|}~оаеинтрслвкмдпуябьгзчхжшюцщэфъыαοιετσνηυρπκμλδγχθφβξζψω', ltrim(raw, ' eaionrstlmdcukhgbpyvzjwf.@x0123456789q-
()+EAIONRSTLMDCUKHGBPYVZJWFXQ,/&_''"!#$%*:;<=>?[\]^`{|}~оаеинтрслвкмдпуябьгзчхжшюцщэфъыαοιετσνηυρπκμλδγχθφβξζψω')
        UNION ALL
        SELECT replace(text, substr(rest, 1, 1),
            coalesce((SELECT folded FROM custctl_letter WHERE letter = substr(rest, 1, 1)), substr(rest, 1, 1))),
          plain || substr(rest, 1, 1), ltrim(substr(rest, 2), plain || substr(rest, 1, 1))
          FROM step WHERE rest <> '')
      SELECT lower(text) FROM step WHERE rest = '') END
  || char(10) || digits,
  CASE WHEN instr(names, '-') OR instr(names, '''') OR instr(names, '`') OR length(names) <> length(CAST(names AS BLOB)) AND names GLOB '*[’ʼ´‐‑]*'
    THEN CASE WHEN length(joined) = length(CAST(joined AS BLOB)) THEN lower(joined) ELSE (
      WITH RECURSIVE step (text, plain, rest) AS (
        SELECT joined, ' eaionrstlmdcukhgbpyvzjwf.@x0123456789q-
()+EAIONRSTLMDCUKHGBPYVZJWFXQ,/&_''"!#$%*:;<=>?[\]^`{|}~оаеинтрслвкмдпуябьгзчхжшюцщэфъыαοιετσνηυρπκμλδγχθφβξζψω', ltrim(joined, ' eaionrstlmdcukhgbpyvzjwf.@x0123456789q-
()+EAIONRSTLMDCUKHGBPYVZJWFXQ,/&_''"!#$%*:;<=>?[\]^`{|}~оаеинтрслвкмдпуябьгзчхжшюцщэфъыαοιετσνηυρπκμλδγχθφβξζψω')
        UNION ALL
        SELECT replace(text, substr(rest, 1, 1),
            coalesce((SELECT folded FROM custctl_letter WHERE letter = substr(rest, 1, 1)), substr(rest, 1, 1))),
          plain || substr(rest, 1, 1), ltrim(substr(rest, 2), plain || substr(rest, 1, 1))
          FROM step WHERE rest <> '')
      SELECT lower(text) FROM step WHERE rest = '') END ELSE '' END
  || CASE WHEN length(names) <> length(CAST(names AS BLOB)) AND names GLOB '*[äöüåøÄÖÜÅØ]*'
    THEN ' ' || CASE WHEN length(spelled) = length(CAST(spelled AS BLOB)) THEN lower(spelled) ELSE (
      WITH RECURSIVE step (text, plain, rest) AS (
        SELECT spelled, ' eaionrstlmdcukhgbpyvzjwf.@x0123456789q-
()+EAIONRSTLMDCUKHGBPYVZJWFXQ,/&_''"!#$%*:;<=>?[\]^`{|}~оаеинтрслвкмдпуябьгзчхжшюцщэфъыαοιετσνηυρπκμλδγχθφβξζψω', ltrim(spelled, ' eaionrstlmdcukhgbpyvzjwf.@x0123456789q-
()+EAIONRSTLMDCUKHGBPYVZJWFXQ,/&_''"!#$%*:;<=>?[\]^`{|}~оаеинтрслвкмдпуябьгзчхжшюцщэфъыαοιετσνηυρπκμλδγχθφβξζψω')
        UNION ALL
        SELECT replace(text, substr(rest, 1, 1),
            coalesce((SELECT folded FROM custctl_letter WHERE letter = substr(rest, 1, 1)), substr(rest, 1, 1))),
          plain || substr(rest, 1, 1), ltrim(substr(rest, 2), plain || substr(rest, 1, 1))
          FROM step WHERE rest <> '')
      SELECT lower(text) FROM step WHERE rest = '') END ELSE '' END
  || coalesce((SELECT ' ' || substr(d, 2) || ' ' || substr(d, 3) || ' ' || substr(d, 4) || ' ℡'
       || substr(d, 20, 1) || substr(d, 19, 1) || substr(d, 18, 1) || substr(d, 17, 1) || substr(d, 16, 1) || substr(d, 15, 1) || substr(d, 14, 1) || substr(d, 13, 1) || substr(d, 12, 1) || substr(d, 11, 1) || substr(d, 10, 1) || substr(d, 9, 1) || substr(d, 8, 1) || substr(d, 7, 1) || substr(d, 6, 1) || substr(d, 5, 1) || substr(d, 4, 1) || substr(d, 3, 1) || substr(d, 2, 1) || substr(d, 1, 1)
       FROM (SELECT digits AS d) WHERE d <> ''), '')
FROM (
  SELECT id, names,
    coalesce((SELECT d FROM (SELECT substr(ltrim(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(phone, '(0)', ''), ' ', ''), '(', ''), ')', ''), '+', ''), '-', ''), '.', ''), '/', ''), ',', ''), ':', ''), ';', ''), '_', ''), '*', ''), '#', ''), char(160), ''), char(8239), ''), char(8208), ''), char(8209), ''), char(8211), ''), '0'), -20) AS d) WHERE d NOT GLOB '*[^0-9]*'), '') AS digits,
    email || char(10) || names || char(10) || coalesce(phone, '') AS raw,
    replace(replace(replace(replace(replace(replace(replace(replace(names, '''', ''), '’', ''), 'ʼ', ''), '`', ''), '´', ''), '-', ''), '‐', ''), '‑', '') AS joined,
    replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(names, 'ä', 'ae'), 'ö', 'oe'), 'ü', 'ue'), 'å', 'aa'), 'ø', 'oe'), 'Ä', 'ae'), 'Ö', 'oe'), 'Ü', 'ue'), 'Å', 'aa'), 'Ø', 'oe') AS spelled
  FROM (
    SELECT id, email, phone, first_name || char(10) || last_name || char(10) || coalesce(company, '') || char(10) || coalesce(city, '')/* own fields */ AS names
    FROM customer
  )
);
