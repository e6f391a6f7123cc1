using System.Text;
using TorBalancer.Configuration.Reading;

namespace TorBalancer.Tests.Configuration;

public class ConfigurationLoaderRobustnessTests
{
    private const int Mutations = 2000;

    /// <summary>One of every key with a value that is not the default, so that a mutation meets every parser.</summary>
    private const string Full = """
        [Listener:main]
        Address = [::]:1080 ; all
        Protocols = socks5, http
        Auth = required
        Users = ann:one, bob:two
        UsersFile = /users
        AllowFrom = 10.0.0.0/8, 2001:db8::/32
        Mode = sticky
        Isolation = user
        SocketMode = 0600
        [Admin]
        Address = [::1]:1081
        Socket = unix:/run/a.sock
        [Connect]
        Timeout = 80s
        Hedge = off
        [Health]
        RecoveryBackoff = 1s, 2s
        Canary = https://check.torproject.org/, a.example:80
        OnionCanary = 2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion:80
        [Worker:worker-01]
        Address = 17.0.0.134
        ControlPort = unix:/c
        ControlPassword = "p ; w"
        WgInterface = wg-tor01
        WgHostAddress = 10.201.1.1
        ReconnectCommand = sh -c "a ; b"
        Country = de
        [Worker:two]
        SocksPort = unix:/s
        """;

    [TestCase("")]
    [TestCase("\uFEFF")]
    [TestCase("\r\n\r\n")]
    [TestCase("# only a comment")]
    [TestCase("\0")]
    public void Load_next_to_nothing_never_throws(string text) =>
        Assert.That(Loading.Text(text).Options.Listeners, Has.Count.EqualTo(1));

    [Test]
    public void Load_empty_file_equals_the_defaults() =>
        Assert.That(Loading.Dump(Loading.Text("").Options), Is.EqualTo(Loading.Dump(Loading.Sources().Options)));

    [Test]
    public void Load_full_text_is_valid()
    {
        var files = new FakeFiles { Texts = { ["/users"] = "carl:three" } };

        Assert.That(Loading.Join(Loading.Text(Full, files).Errors), Is.Empty);
    }

    [Test]
    public void Load_windows_line_ends_give_the_same()
    {
        string unix = Full.ReplaceLineEndings("\n"), windows = Full.ReplaceLineEndings("\r\n");

        Assert.That(Loading.Dump(Loading.Text(windows).Options), Is.EqualTo(Loading.Dump(Loading.Text(unix).Options)));
    }

    [Test, CancelAfter(60_000)]
    public void Load_huge_files_end_with_a_bounded_number_of_messages()
    {
        var many = new StringBuilder("[Balancing]\n");
        for (int i = 0; i < 100_000; i++)
            many.Append("Key").Append(i).Append(" = value\n");
        var unknown = Loading.Text(many.ToString());
        var garbage = Loading.Text(new string('x', 8_000_000));
        var quotes = Loading.Text("[Log]\nFile = a" + string.Concat(Enumerable.Repeat("\" ", 500_000)));

        Assert.That(unknown.Errors, Has.Count.EqualTo(ConfigurationIssues.MaxKept + 1));
        Assert.That(unknown.Errors[^1].Message, Is.EqualTo("and 99800 more errors"));
        Assert.That(garbage.Errors, Has.Count.EqualTo(1));
        Assert.That(quotes.IsValid, Is.True);
    }

    [Test, CancelAfter(60_000)]
    public void Load_thousand_workers_keep_their_order()
    {
        var text = new StringBuilder();
        for (int i = 999; i >= 0; i--)
            text.Append($"[Worker:w{i}]\nSocksPort = {10_000 + i}\n");

        var result = Loading.Text(text.ToString());

        Assert.That(Loading.Join(result.Errors), Is.Empty);
        Assert.That(result.Options.Workers.Select(worker => worker.Name), Is.EqualTo(Enumerable.Range(0, 1000).Select(i => $"w{999 - i}")));
    }

    /// <summary>Found by fuzzing: the advice for the first of them repeated it as it was.</summary>
    [TestCase("[Worker:a]\nControlPort < unix:/c\u001B[2Jx")]
    [TestCase("[Worker:a]\nControlPort = unix:\u001B[2J")]
    [TestCase("[Balancing]\nMode = stick\u007Fy")]
    [TestCase("[Balan\u001Bcing]\nMode = sticky")]
    [TestCase("[Listener:m]\nAddress = 1080\u0007:")]
    public void Load_messages_hold_nothing_that_steers_a_terminal(string text)
    {
        var result = Loading.Text(text);

        Assert.That(result.Errors, Is.Not.Empty);
        Assert.That(result.Errors.Concat(result.Warnings).Where(static issue => issue.Message.Any(char.IsControl)), Is.Empty);
    }

    [Test, CancelAfter(120_000)]
    public void Load_random_mutations_never_throw()
    {
        const string Spice = "[]=;#:\"\\/,.-_ \t\r\n\0\u0085\u2028\ud800\uFEFFaZ09%@éß";
        var random = new Random(1100);
        var files = new FakeFiles { Texts = { ["/users"] = "carl:three" } };
        int refused = 0;
        for (int round = 0; round < Mutations; round++)
        {
            var text = new StringBuilder(Full);
            for (int edits = random.Next(1, 6); edits > 0; edits--)
            {
                int at = random.Next(text.Length);
                switch (random.Next(4))
                {
                    case 0:
                        text[at] = Spice[random.Next(Spice.Length)];
                        break;
                    case 1:
                        text.Insert(at, Spice[random.Next(Spice.Length)]);
                        break;
                    case 2:
                        text.Remove(at, Math.Min(random.Next(1, 30), text.Length - at));
                        break;
                    default:
                        string piece = text.ToString(at, Math.Min(random.Next(1, 60), text.Length - at));
                        text.Insert(random.Next(text.Length), piece);
                        break;
                }
            }

            string mutated = text.ToString();
            Assert.That(() => refused += Loading.Text(mutated, files).IsValid ? 0 : 1, Throws.Nothing, mutated);
        }

        // Were everything or nothing refused, the mutations would not reach the parsers.
        Assert.That(refused, Is.InRange(Mutations / 4, Mutations - 1));
    }

    [Test, CancelAfter(120_000)]
    public void Load_mutated_overrides_never_throw()
    {
        const string Letters = "--:=__WorkerLogw1 \0;\"[]";
        var random = new Random(1101);
        for (int round = 0; round < Mutations; round++)
        {
            string Word() => string.Concat(Enumerable.Range(0, random.Next(12)).Select(_ => Letters[random.Next(Letters.Length)]));
            var environment = new Dictionary<string, string>
            {
                ["TORBALANCER_" + Word()] = Word(),
                ["TORBALANCER_Worker__" + Word()] = Word(),
            };
            string[] arguments = ["--" + Word(), Word(), "--Log:" + Word()];

            Assert.That(() => Loading.Sources(Full, environment, arguments), Throws.Nothing, string.Join(' ', arguments));
        }
    }
}
