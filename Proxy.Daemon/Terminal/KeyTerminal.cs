using System.Runtime.InteropServices;
using System.Text;
using System.Threading.Channels;
using TorBalancer.Processes;

namespace TorBalancer.Daemon.Terminal;

/// <summary>
/// A terminal that is drawn on as a whole and that gives single keys. Whatever ends the program, the terminal is left as it was found:
/// on disposal, on the signals that end a process, and while it is stopped (Ctrl-Z).
/// </summary>
internal sealed class KeyTerminal : IDisposable
{
    // The other screen, without a cursor; and back.
    private const string Enter = "\e[?1049h\e[?25l", Leave = "\e[?25h\e[?1049l";

    private readonly TextWriter _output;
    private readonly byte[] _settings;
    private readonly Channel<string> _keys = Channel.CreateUnbounded<string>();
    private readonly CancellationTokenSource _ended = new();
    private readonly List<PosixSignalRegistration> _signals = [];
    private readonly Lock _lock = new();
    private bool _isIn;

    private KeyTerminal(TextWriter output, byte[] settings)
    {
        _output = output;
        _settings = settings;
    }

    /// <summary>What was typed: a letter, or the whole sequence of a key such as an arrow. "" means: draw anew.</summary>
    public ChannelReader<string> Keys => _keys.Reader;

    /// <summary>Set when a signal ends it (SIGHUP, SIGQUIT); those of Ctrl-C and SIGTERM are the command's.</summary>
    public CancellationToken Ended => _ended.Token;

    public static (int Width, int Height) Size => TerminalCalls.SizeOf(TerminalCalls.Output) ?? (80, 24);

    /// <summary>Null when input or output is no terminal, or one that cannot be drawn on.</summary>
    public static KeyTerminal? Open(TextWriter output, Func<string, string?> environment)
    {
        if (!TerminalCalls.IsTerminal(TerminalCalls.Output) || environment("TERM") is "dumb" or null or ""
            || TerminalCalls.Settings(TerminalCalls.Input) is not { } settings)
            return null;
        var terminal = new KeyTerminal(output, settings);
        terminal.Start();
        return terminal;
    }

    /// <summary>Shows these lines, from the top; what stood there before goes.</summary>
    public void Draw(IReadOnlyList<string> lines)
    {
        lock (_lock)
        {
            if (!_isIn)
                return;
            _output.Write("\e[H" + string.Join("\e[K\n", lines) + "\e[K\e[J");
            _output.Flush();
        }
    }

    public void Dispose()
    {
        foreach (var signal in _signals)
            signal.Dispose();
        GoOut();
        _ended.Dispose();
    }

    private void Start()
    {
        GoIn();
        foreach (var fatal in (PosixSignal[])[PosixSignal.SIGHUP, PosixSignal.SIGQUIT])
        {
            _signals.Add(PosixSignalRegistration.Create(fatal, context =>
            {
                context.Cancel = true;
                _ended.Cancel();
            }));
        }

        _signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGTSTP, context =>
        {
            // The runtime would leave it at that: a signal that is handled stops nobody.
            context.Cancel = true;
            GoOut();
            ProcessSignals.Pause(Environment.ProcessId);
        }));
        _signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGCONT, context =>
        {
            // Otherwise the runtime sets the terminal up as it was at the start, after us.
            context.Cancel = true;
            GoIn();
            _keys.Writer.TryWrite("");
        }));
        _signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGWINCH, _ => _keys.Writer.TryWrite("")));

        // It blocks until a key is struck, which may be never: the process ends without it.
        new Thread(ReadKeys) { IsBackground = true, Name = "keys" }.Start();
    }

    private void ReadKeys()
    {
        var bytes = new byte[64];
        while (TerminalCalls.Read(TerminalCalls.Input, bytes) is > 0 and var count)
        {
            // One key is one read, but for those that were typed ahead: these are letters.
            string text = Encoding.UTF8.GetString(bytes, 0, count);
            if (text[0] == '\e')
                _keys.Writer.TryWrite(text);
            else
            {
                foreach (char c in text)
                    _keys.Writer.TryWrite(c.ToString());
            }
        }

        _keys.Writer.TryComplete();
    }

    private void GoIn()
    {
        lock (_lock)
        {
            if (_isIn)
                return;
            _isIn = true;
            TerminalCalls.ReadKeys(TerminalCalls.Input, _settings);
            _output.Write(Enter);
            _output.Flush();
        }
    }

    private void GoOut()
    {
        lock (_lock)
        {
            if (!_isIn)
                return;
            _isIn = false;
            _output.Write(Leave);
            _output.Flush();
            TerminalCalls.Restore(TerminalCalls.Input, _settings);
        }
    }
}
