using TorBalancer.Daemon;
using TorBalancer.Tests.Admin;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Commands;

/// <summary>torbalancer completion: what each shell really offers behind a line.</summary>
[CancelAfter(60_000)]
public class CompletionCommandTests
{
    private string _directory = "";
    private FakeTorWorker _first = null!, _second = null!;
    private AdminUnderTest _admin = null!;

    /// <summary>A daemon whose workers are completed.</summary>
    [OneTimeSetUp]
    public async Task StartDaemonAsync()
    {
        (_first, _second) = (new FakeTorWorker(), new FakeTorWorker());
        _admin = await AdminUnderTest.StartAsync(_first, _second);
    }

    [OneTimeTearDown]
    public async Task StopDaemonAsync()
    {
        await _admin.DisposeAsync();
        await _first.DisposeAsync();
        await _second.DisposeAsync();
    }

    [SetUp]
    public void CreateDirectory() => _directory = Directory.CreateTempSubdirectory("torbalancer-test-").FullName;

    [TearDown]
    public void DeleteDirectory() => Directory.Delete(_directory, recursive: true);

    private static readonly object[] Lines =
    [
        new object[] { "torbalancer ", new[] { "run", "check", "testnet", "healthcheck", "completion" } },
        new object[] { "torbalancer ch", new[] { "check" } },
        new object[] { "torbalancer run --", new[] { "--config", "--testnet", "--help" } },
        new object[] { "torbalancer testnet ", new[] { "up", "status", "down" } },
        new object[] { "torbalancer testnet up --f", new[] { "--foreground" } },
        new object[] { "torbalancer completion ", new[] { "bash", "fish", "zsh" } },
        new object[] { "torbalancer check --config torb", new[] { "torbalancer.conf" } },
        new object[] { "torbalancer env --for c", new[] { "chromium" } },
        new object[] { "torbalancer explain --mode fa", new[] { "failover", "fastest" } },
        new object[] { "torbalancer init --mode r", new[] { "random", "round_robin" } },
        new object[] { "torbalancer onion import torb", new[] { "torbalancer.conf" } },
        new object[] { "torbalancer onion inspect torb", new[] { "torbalancer.conf" } },
        new object[] { "torbalancer drain worker-0", new[] { "worker-01", "worker-02" } },
        new object[] { "torbalancer worker remove worker-0", new[] { "worker-01", "worker-02" } },
        new object[] { "torbalancer connections --worker worker-0", new[] { "worker-01", "worker-02" } },
    ];

    [TestCaseSource(nameof(Lines))]
    public async Task Bash_offers(string line, string[] expected, CancellationToken token)
    {
        // compopt works in a real completion only, and is told to keep quiet elsewhere.
        const string ask = """
            source "$1"; shift
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
            _torbalancer
            printf '%s\n' "${COMPREPLY[@]}"
            """;
        string[] words = line.Split(' ');

        string[] offered = await AskAsync("bash", ["--norc", "-c", ask, "bash", await ScriptAsync("bash", token), .. words], token);

        Assert.That(offered, Is.SupersetOf(expected));
        Assert.That(offered, Has.All.StartsWith(words[^1]));
    }

    [TestCaseSource(nameof(Lines))]
    public async Task Fish_offers(string line, string[] expected, CancellationToken token)
    {
        string script = await ScriptAsync("fish", token);

        string[] offered = await AskAsync("fish", ["--no-config", "-c", $"source {script}; complete -C'{line}'"], token);

        Assert.That(offered.Select(static word => word.Split('\t')[0]), Is.SupersetOf(expected));
    }

    /// <summary>zsh completes in its line editor only, so it has a terminal of its own and the key is struck.</summary>
    [TestCaseSource(nameof(Lines))]
    public async Task Zsh_offers(string line, string[] expected, CancellationToken token)
    {
        const string ask = """
            zmodload zsh/zpty
            export TERM=dumb COLUMNS=200
            zpty shell zsh -f -i
            zpty -w shell "PS1='> '; autoload -Uz compinit; compinit -u -D; source $1; print REA''DY"
            while zpty -r shell text; do [[ $text == *READY* ]] && break; done
            zpty -w -n shell "$2"$'\t'
            for ((i = 0; i < 100; i++)); do
                while zpty -r -t shell text; do print -rn -- "$text"; shown+=$text; done
                missing=0
                for word in "${@:3}"; do [[ $shown == *$word* ]] || missing=1; done
                ((missing)) || break
                sleep 0.1
            done
            zpty -d shell
            """;
        string script = await ScriptAsync("zsh", token);

        string[] offered = await AskAsync("zsh", ["-f", "-c", ask, "zsh", script, line, .. expected], token);

        foreach (string word in expected)
            Assert.That(string.Join('\n', offered), Does.Contain(word));
    }

    private async Task<string> ScriptAsync(string shell, CancellationToken token)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        Assert.That(await Program.RunAsync(["completion", shell], output, error), Is.Zero, error.ToString());
        string file = Path.Combine(_directory, "completion." + shell);
        await File.WriteAllTextAsync(file, output.ToString(), token);
        await File.WriteAllTextAsync(Path.Combine(_directory, "torbalancer.conf"), "", token);
        return file;
    }

    private async Task<string[]> AskAsync(string shell, IEnumerable<string> arguments, CancellationToken token)
    {
        string daemon = Path.Combine(_directory, "daemon.conf");
        await File.WriteAllTextAsync(daemon, $"[Admin]\nAddress = {_admin.Server.Address}\nSocket = none\n", token);
        var environment = new Dictionary<string, string>
        {
            ["HOME"] = _directory,
            ["PATH"] = $"{Path.GetDirectoryName(ProgramRun.Daemon)}:{Environment.GetEnvironmentVariable("PATH")}",
            ["TORBALANCER_CONFIG"] = daemon,
        };
        var result = await ClientProcess.RunAsync(shell, arguments, token, environment, _directory);
        Assert.That((result.ExitCode, result.Error), Is.EqualTo((0, "")));
        return result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
